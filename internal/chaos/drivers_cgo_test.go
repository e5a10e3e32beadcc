//go:build cgo

package chaos

import "github.com/esm-go/esm/driver/confluent"

func init() { drivers["confluent"] = confluent.Driver() }
