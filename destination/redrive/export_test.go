package redrive

// ParseItem is for tests that need an item without a source.
func ParseItem(document []byte) (*Item, error) {
	i := new(Item)
	i.read(document, nil)
	return i, i.Err
}
