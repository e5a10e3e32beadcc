package function

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/esm-go/esm"
)

const wantIdentifier = `want {"itemIdentifier":{"partition":"topic-0","offset":100}}`

// parseItems reads the batchItemFailures of an answer. Member names are case-sensitive, as on Lambda. An offset may
// also be a string of digits, because some serializers write longs that way.
func parseItems(payload []byte) ([]esm.ItemID, error) {
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 {
		return nil, nil
	}
	if payload[0] != '{' {
		if !json.Valid(payload) {
			return nil, errors.New("it is not JSON")
		}
		return nil, nil // null, a string or a number reports no items
	}
	var reply map[string]json.RawMessage
	if err := json.Unmarshal(payload, &reply); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	raw := reply["batchItemFailures"]
	if isNull(raw) {
		return nil, nil
	}
	var failures []json.RawMessage
	if err := json.Unmarshal(raw, &failures); err != nil {
		return nil, errors.New("batchItemFailures is not an array")
	}
	items := make([]esm.ItemID, 0, len(failures))
	for i, f := range failures {
		item, err := parseItem(f)
		if err != nil {
			return nil, fmt.Errorf("batchItemFailures[%d]%w: %s", i, err, wantIdentifier)
		}
		items = append(items, item)
	}
	return items, nil
}

func parseItem(raw json.RawMessage) (item esm.ItemID, err error) {
	var failure, id map[string]json.RawMessage
	if json.Unmarshal(raw, &failure) != nil || failure == nil {
		return item, errors.New(" is not an object")
	}
	if isNull(failure["itemIdentifier"]) {
		return item, errors.New(" has no itemIdentifier")
	}
	if json.Unmarshal(failure["itemIdentifier"], &id) != nil {
		return item, errors.New(".itemIdentifier is not an object")
	}
	if isNull(id["partition"]) || json.Unmarshal(id["partition"], &item.Partition) != nil || item.Partition == "" {
		return item, errors.New(".itemIdentifier.partition is not a string")
	}
	offset := bytes.Trim(bytes.TrimSpace(id["offset"]), `"`)
	item.Offset, err = strconv.ParseInt(string(offset), 10, 64)
	if err != nil || item.Offset < 0 {
		return item, errors.New(".itemIdentifier.offset is not an offset")
	}
	return item, nil
}

func isNull(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}
