"""Build it yourself: ten files to fill in, from a derivative to a GAN that draws digits.

python -m exercises                  show the progress
python -m exercises 5                check exercise 5
python -m exercises 5 --hint         a first hint; --hint 2 and --hint 3 say more
python -m exercises 5 --from-here    begin with exercise 5: the earlier ones are taken from solutions/

Work in the files e01_vjps.py to e10_train.py: replace each `...`, and keep the rest. docs/tour.md has the theory.
To try something: `python` in the repository, then `from exercises.e01_vjps import *`.
"""
