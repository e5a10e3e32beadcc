package esm_test

import (
	"strings"
	"testing"
)

// A store, an API, a console or an exporter needs only these packages; none may link a Kafka client.
func TestDataPackagesLinkNoKafkaClient(t *testing.T) {
	t.Parallel()
	packages := []string{"auth", "event", "filter", "mapping", "observe", "scaling", "scaling/simulate"}
	args := []string{"-f", `{{.ImportPath}}{{range .Deps}} {{.}}{{end}}`}
	for _, pkg := range packages {
		args = append(args, "./"+pkg)
	}
	out := golist(t, args...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(packages) {
		t.Fatalf("go list tells of %d packages, want %d:\n%s", len(lines), len(packages), out)
	}
	for _, line := range lines {
		pkg, deps, _ := strings.Cut(line, " ")
		if deps == "" {
			t.Errorf("go list tells nothing of what %s imports", pkg)
		}
		for dep := range strings.FieldsSeq(deps) {
			// franz-go's table of Kafka's error codes, pkg/kerr, is no client.
			for _, client := range []string{"confluent-kafka-go", "franz-go/pkg/kgo", "franz-go/pkg/kadm", "franz-go/pkg/kmsg", "esm/driver/"} {
				if strings.Contains(dep, client) {
					t.Errorf("%s links %s", pkg, dep)
				}
			}
		}
	}
}
