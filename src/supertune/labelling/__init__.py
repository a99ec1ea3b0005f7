"""Which rows of an unlabelled pool to label next, and what becomes of the answers.

`selection` chooses rows by their features alone; `pool` reads the rows and what may be proposed
of them; `proposing` puts the two together with the model and says why each row was taken;
`journal` puts every answer on the disk before the next row is shown; `outputs` writes csv and
Label Studio's JSON.
"""
