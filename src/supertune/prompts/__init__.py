"""How a backbone is asked in words: templates around a text, and words for the labels.

`template` has the small language, `verbalizer` the words, `presets` those that come along in six
languages, and `resolving` puts them together into a `supertune.contracts.Prompt`.
"""
