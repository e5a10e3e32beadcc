//go:build !cgo

package esm

import "github.com/esm-go/esm/driver/franz"

// defaultDriver selects franz-go, which needs no C compiler, when cgo is off.
func defaultDriver() Option { return WithDriver(franz.Driver()) }
