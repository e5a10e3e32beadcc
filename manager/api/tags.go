package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/esm-go/esm/manager"
)

// tagged returns the UUID of the mapping with the given ARN.
func (h *handler) tagged(arn string) (string, error) {
	v := new(violations)
	resourceShape.check(arn, "resource", v)
	if err := v.err(); err != nil {
		return "", err
	}
	_, id, isMapping := strings.Cut(arn, ":event-source-mapping:")
	if !isMapping {
		return "", &failure{status: http.StatusNotFound, name: "ResourceNotFoundException", message: "Function not found: " + arn}
	}
	if d, err := h.m.Get(id); err != nil || !strings.EqualFold(d.ARN, arn) {
		return "", noMapping(arn)
	}
	return id, nil
}

func noMapping(arn string) error {
	return &failure{status: http.StatusNotFound, name: "ResourceNotFoundException", message: "Event source mapping not found: " + arn}
}

func (h *handler) listTags(_ context.Context, r *request) (int, any, error) {
	id, err := h.tagged(r.id)
	if err != nil {
		return 0, nil, err
	}
	tags, err := h.m.ListTags(id)
	if errors.Is(err, manager.ErrNotFound) {
		return 0, nil, noMapping(r.id)
	}
	return http.StatusOK, map[string]any{"Tags": tags}, err
}

func (h *handler) tag(ctx context.Context, r *request) (int, any, error) {
	id, err := h.tagged(r.id)
	if err != nil {
		return 0, nil, err
	}
	if err := checkDocument(r.body, tagShape); err != nil {
		return 0, nil, err
	}
	var document struct{ Tags map[string]string }
	if err := json.Unmarshal(r.body, &document); err != nil {
		return 0, nil, serialization(err.Error())
	}
	return http.StatusNoContent, nil, h.m.Tag(ctx, id, document.Tags)
}

func (h *handler) untag(ctx context.Context, r *request) (int, any, error) {
	id, err := h.tagged(r.id)
	if err != nil {
		return 0, nil, err
	}
	keys := r.query["tagKeys"]
	v := new(violations)
	if len(keys) == 0 {
		v.add("null", "tagKeys", "Member must not be null")
	}
	for _, key := range keys {
		tagKeyShape.check(key, "tagKeys", v)
	}
	if err := v.err(); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.m.Untag(ctx, id, slices.Clone(keys)...)
}
