//go:build !cgo

package esm

import "github.com/esm-go/esm/driver/franz"

// defaultDriver is franz-go where there is no C compiler: it needs none.
func defaultDriver() Option { return WithDriver(franz.Driver()) }
