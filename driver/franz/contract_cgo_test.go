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

// TestContractBesideConfluent has members of both drivers in one group.
func TestContractBesideConfluent(t *testing.T) {
	target := contract(drivertest.Fake)
	target.Other = besides
	drivertest.Run(t, target)
}
