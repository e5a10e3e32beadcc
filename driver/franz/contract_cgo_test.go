//go:build cgo

package franz

import (
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/confluent"
	"github.com/esm-go/esm/driver/drivertest"
)

func init() {
	besides = func(drivertest.Environment) driver.Driver { return confluent.Driver() }
}

// TestContractBesideConfluent puts members of both drivers into one group.
func TestContractBesideConfluent(t *testing.T) {
	target := contract(drivertest.Fake)
	target.Other = besides
	drivertest.Run(t, target)
}
