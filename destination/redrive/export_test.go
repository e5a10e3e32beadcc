package redrive

// ParseItem is for tests of what uses items and comes from no source.
func ParseItem(document []byte) (*Item, error) {
	i := new(Item)
	i.read(document, nil)
	return i, i.Err
}
