# Remove what only the course needs. The six stages, their metrics and figures, and make run stay.
set -eu
git rm -rq .ci/install-packages .github CITATION.cff benchmarks digits/__main__.py digits/cli metrics/sweeps recipes sweeps \
    requirements/{plots,sweep}.txt docs/{accuracy,classroom,course,experiments,make-it-yours,sweeps}.md docs/images docs/make-it-yours \
    tests/{browser,finished,test_commands,test_documents,test_github,test_hostile_input,test_install,test_make_it_yours,test_platforms,test_wheel}.py tests/cli
sed -E -i.old '/^(sweep|experiments|compare|plots|report|repeat|verify):/,/^$/d
    s/ sweep experiments compare plots report repeat verify//; s/, figures, model cards and a page/ and figures/; s/; RECIPE=.*//
    s/@\$\(DIGITS\) metrics/$(DVC) metrics show/; /^DIGITS|\(DIGITS\)|directory report$|check-jsonschema/d; s/^EXTRAS.*/EXTRAS := ssh/' Makefile
sed -E -i.old '/^\[project.scripts\]/,/^$/d; s/ \| digits.cli//; s/, "benchmarks"//
    /^(plots|sweep) = |^ +"(axe-|check-jsonschema|huggingface|jinja2|playwright|statsmodels|tabulate|types-tabulate|typer|vl-convert)/d' pyproject.toml
sed -E -i.old '/install-packages|digits compare/d' .ci/run
sed -E -i.old '/digits\/cli/d' tests/test_pipeline.py
sed -E -i.old 's/"plots": "plots", "sweep": "sweep", //' tests/test_makefile.py
rm Makefile.old pyproject.toml.old .ci/run.old tests/test_{makefile,pipeline}.py.old
