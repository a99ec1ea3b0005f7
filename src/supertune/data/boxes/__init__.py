"""Pictures with boxes on them, from the formats that labelling tools write."""
