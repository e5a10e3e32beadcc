package esm_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A store, an API, a console or an exporter needs these packages alone; none may bring a Kafka client along.
func TestDataPackagesLinkNoKafkaClient(t *testing.T) {
	for _, pkg := range []string{"auth", "event", "filter", "mapping", "observe", "scaling", "scaling/simulate"} {
		out, err := exec.Command("go", "list", "-deps", "./"+pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("go list ./%s: %v\n%s", pkg, err, out)
		}
		for dep := range strings.Lines(string(out)) {
			// franz-go's table of Kafka's error codes, pkg/kerr, is no client.
			for _, client := range []string{"confluent-kafka-go", "franz-go/pkg/kgo", "franz-go/pkg/kadm", "franz-go/pkg/kmsg", "esm/driver/"} {
				if strings.Contains(dep, client) {
					t.Errorf("%s links %s", pkg, strings.TrimSpace(dep))
				}
			}
		}
	}
}
