package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
)

// mostPage is the maximum number of mappings in a page, whatever MaxItems says (API reference,
// ListEventSourceMappings).
const mostPage = 100

func (h *handler) create(ctx context.Context, r *request) (int, any, error) {
	mapping, _, err := decode(r.body, createShape)
	if err != nil {
		return 0, nil, err
	}
	if len(mapping.SelfManagedEventSource.Endpoints.KafkaBootstrapServers) == 0 {
		return 0, nil, invalidParameter(textNoSource, "Name the brokers in SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS.")
	}
	if err := h.checkAccess(mapping); err != nil {
		return 0, nil, err
	}
	d, err := h.m.Create(ctx, mapping)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, answerOf(d), nil
}

// checkAccess rejects a mapping that would connect without authentication, as AWS does, unless WithPlaintext is set.
func (h *handler) checkAccess(mapping esm.Mapping) error {
	if len(mapping.SourceAccessConfigurations) > 0 || h.o.plaintext {
		return nil
	}
	return invalidParameter(textNoAccess, "Without SourceAccessConfigurations the connection is neither authenticated nor encrypted. The operator of this service can allow that (api.WithPlaintext).")
}

func (h *handler) get(_ context.Context, r *request) (int, any, error) {
	if err := checkUUID(r.id); err != nil {
		return 0, nil, err
	}
	d, err := h.m.Get(r.id)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, answerOf(d), nil
}

func (h *handler) list(_ context.Context, r *request) (int, any, error) {
	v := new(violations)
	filter := manager.Filter{Limit: mostPage}
	if r.query.Has("FunctionName") {
		filter.FunctionName = r.query.Get("FunctionName")
		functionNameShape.check(filter.FunctionName, "functionName", v)
	}
	if r.query.Has("EventSourceArn") {
		arnShape.check(r.query.Get("EventSourceArn"), "eventSourceArn", v)
	}
	if r.query.Has("MaxItems") {
		n, err := strconv.Atoi(r.query.Get("MaxItems"))
		if err != nil {
			return 0, nil, serialization("MaxItems: found " + strconv.Quote(printable(r.query.Get("MaxItems"))) + ", want a whole number from 1 to 10000")
		}
		maxItemsShape.number(float64(n), strconv.Itoa(n), "maxItems", v)
		filter.Limit = min(n, mostPage)
	}
	if err := v.err(); err != nil {
		return 0, nil, err
	}
	if marker := r.query.Get("Marker"); marker != "" {
		after, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil || checkUUID(string(after)) != nil {
			return 0, nil, invalidParameter("Invalid Marker: use the NextMarker of the page before.", "")
		}
		filter.After = string(after)
	}
	answer := listAnswer{EventSourceMappings: []*mappingAnswer{}}
	if r.query.Get("EventSourceArn") != "" { // self-managed clusters have none
		return http.StatusOK, answer, nil
	}
	page, more := h.m.List(filter)
	for _, d := range page {
		answer.EventSourceMappings = append(answer.EventSourceMappings, answerOf(d))
	}
	if more {
		answer.NextMarker = base64.RawURLEncoding.EncodeToString([]byte(page[len(page)-1].Mapping.UUID))
	}
	return http.StatusOK, answer, nil
}

func (h *handler) update(ctx context.Context, r *request) (int, any, error) {
	if err := checkUUID(r.id); err != nil {
		return 0, nil, err
	}
	changes, present, err := decode(r.body, updateShape)
	if err != nil {
		return 0, nil, err
	}
	d, err := h.m.Update(ctx, r.id, 0, func(m *esm.Mapping) error {
		if err := merge(m, changes, present); err != nil {
			return err
		}
		if present["SourceAccessConfigurations"] {
			return h.checkAccess(*m)
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, answerOf(d), nil
}

func (h *handler) remove(ctx context.Context, r *request) (int, any, error) {
	if err := checkUUID(r.id); err != nil {
		return 0, nil, err
	}
	d, err := h.m.Delete(ctx, r.id)
	if err != nil {
		return 0, nil, h.failureOf(err, textDeleteInUse)
	}
	return http.StatusAccepted, answerOf(d), nil
}

// checkUUID rejects a path parameter that does not have the length of a UUID.
func checkUUID(id string) error {
	v := new(violations)
	uuidShape.check(id, "uUID", v)
	return v.err()
}

// getFunction answers a client's request for a mapping's function.
func (h *handler) getFunction(_ context.Context, r *request) (int, any, error) {
	configuration, err := h.function(r.id, r.query)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{"Configuration": configuration, "Tags": map[string]string{}}, nil
}

func (h *handler) getFunctionConfiguration(_ context.Context, r *request) (int, any, error) {
	configuration, err := h.function(r.id, r.query)
	return http.StatusOK, configuration, err
}

func (h *handler) function(name string, query url.Values) (any, error) {
	v := new(violations)
	functionNameShape.check(name, "functionName", v)
	if err := v.err(); err != nil {
		return nil, err
	}
	if q := query.Get("Qualifier"); q != "" && manager.ParseFunctionName(name).Qualifier == "" {
		name += ":" + q
	}
	arn, err := h.m.Function(name)
	if err != nil {
		return nil, &failure{status: http.StatusNotFound, name: "ResourceNotFoundException", message: "Function not found: " + arn}
	}
	n := manager.ParseFunctionName(name)
	version := n.Qualifier
	if version == "" {
		version = "$LATEST"
	}
	return map[string]any{"FunctionName": n.Name, "FunctionArn": arn, "Version": version, "State": "Active", "LastUpdateStatus": "Successful"}, nil
}
