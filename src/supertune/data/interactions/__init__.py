"""What people did with items, and the items: tables, their columns, histories, a catalogue."""
