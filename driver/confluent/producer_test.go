//go:build cgo

package confluent

import (
	"testing"

	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/internal/kafkaenv"
	"github.com/esm-go/esm/internal/kafkatest"
)

func TestProducerConformance(t *testing.T) {
	drivertest.RunProducer(t, drivertest.Target{Driver: confluentDriver, Environment: drivertest.Fake})
}

func TestProducerConformanceKafka(t *testing.T) {
	drivertest.RunProducer(t, onKafka(kafkatest.Start(t, kafkaenv.Options()...)))
}
