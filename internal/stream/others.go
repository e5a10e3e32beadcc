package stream

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// othersAfter is how long after an assignment its members look for commits of another mapping in their group. Those of a
// version that is being replaced by another one are over by then.
const othersAfter = time.Minute

// checkOthers has the group's commits looked at for those of another mapping: a while after each assignment, and with each
// refresh.
func (m *Member) checkOthers(now time.Time) {
	if m.lookups.nextOthers.IsZero() || m.settings.Fingerprint == "" {
		return
	}
	if now.Before(m.lookups.nextOthers) {
		m.at(m.lookups.nextOthers)
		return
	}
	m.lookups.nextOthers = time.Time{}
	m.lookups.add(lookup{Question: start.Question{Kind: start.Others}, parts: m.running()})
}

// foundOthers says once, for each mapping that is not this one, that it reads in the same group.
func (m *Member) foundOthers(others []string) {
	for _, other := range others {
		if other == m.settings.Fingerprint || m.lookups.others[other] {
			continue
		}
		m.lookups.others[other] = true
		err := &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: fmt.Errorf("another mapping commits in consumer group %q: "+
			"its FunctionName or FilterCriteria differ from this one's, and each commits the records that go to the other; "+
			"give each a ConsumerGroupId or UUID of its own", m.shared.Group)}
		m.shared.Log.Error("two mappings share a consumer group", "err", err)
		m.shared.Hooks.Error(m.shared.Conditions.Problem(observe.OpGroup, err))
	}
}
