//go:build cgo

package integration

import "github.com/esm-go/esm/driver/confluent"

func init() { drivers["confluent"] = confluent.Driver() }
