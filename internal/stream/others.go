package stream

import (
	"fmt"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

// foundOthers reports, once for each other mapping, that it reads in the same group.
func (m *Member) foundOthers(others []string) {
	for _, other := range others {
		if other == m.settings.Fingerprint || m.others[other] {
			continue
		}
		m.others[other] = true
		err := &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: fmt.Errorf("another mapping commits in consumer group %q: "+
			"its FunctionName or FilterCriteria differ from this one's, and each commits the other's records; "+
			"give each its own ConsumerGroupId or UUID", m.shared.Group)}
		m.shared.Log.Error("two mappings share a consumer group", "err", err)
		m.shared.Hooks.Error(m.shared.Conditions.Problem(observe.OpGroup, err))
	}
}
