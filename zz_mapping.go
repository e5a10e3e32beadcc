package esm
type Mapping struct{}
