"""What is special about each kind of rows: see `supertune.contracts.Modality`."""
