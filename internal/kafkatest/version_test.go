package kafkatest

import "testing"

func TestOlder(t *testing.T) {
	for _, c := range []struct {
		runs, than string
		want       bool
	}{
		{"0.10.2.2", "0.11", true}, {"0.10.2.2", "0.9", false}, {"2.8.2", "2.8", false}, {"2.8.2", "2.10", true}, {"4.2.1", "4.2.1", false},
	} {
		cluster := &Cluster{cfg: config{version: c.runs}}
		if got := cluster.Older(c.than); got != c.want {
			t.Errorf("%s before %s: %t", c.runs, c.than, got)
		}
	}
}

// The other versions are versions that we can start, and not the default one.
func TestOtherVersions(t *testing.T) {
	for _, v := range OtherVersions() {
		if _, err := lookupRelease(v); err != nil || v == DefaultVersion {
			t.Errorf("%s: %v", v, err)
		}
	}
}
