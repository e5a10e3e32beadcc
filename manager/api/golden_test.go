package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/esm-go/esm/manager/api"
)

const mappings = "/2015-03-31/event-source-mappings"

// body returns the JSON of a Create with changed parameters; nil removes one.
func body(changes map[string]any) string {
	members := map[string]any{
		"FunctionName": "orders", "Topics": []string{"topic"},
		"SelfManagedEventSource":     map[string]any{"Endpoints": map[string]any{"KAFKA_BOOTSTRAP_SERVERS": []string{"kafka:1000"}}},
		"SourceAccessConfigurations": []any{map[string]string{"Type": "BASIC_AUTH", "URI": secretARN}},
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	out, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func servers(list ...string) map[string]any {
	return map[string]any{"Endpoints": map[string]any{"KAFKA_BOOTSTRAP_SERVERS": list}}
}

// TestRecorded compares the answers with AWS's recorded answers (2024-09-03, LocalStack's
// test_create_event_source_self_managed): all members must be there, and no others except EventSourceMappingArn, which
// AWS added later.
func TestRecorded(t *testing.T) {
	r := newRig(t, api.WithoutAuthentication())
	expect := func(name string, status, got int, answer map[string]any, want string) {
		t.Helper()
		var wanted map[string]any
		decoder := json.NewDecoder(strings.NewReader(want))
		decoder.UseNumber()
		if err := decoder.Decode(&wanted); err != nil {
			t.Fatal(err)
		}
		if delete(answer, "Detail"); got != status || !reflect.DeepEqual(answer, wanted) {
			t.Errorf("%s: %d %v\nwant %d %v", name, got, answer, status, wanted)
		}
	}
	status, _, answer := r.call("POST", mappings, body(map[string]any{"SourceAccessConfigurations": nil}))
	expect("missing-source-access-configuration", 400, status, answer, `{"Type":"User","message":"Required 'sourceAccessConfigurations' parameter is missing."}`)

	status, header, answer := r.call("POST", mappings, body(nil))
	id, _ := answer["UUID"].(string)
	if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(id) || header.Get("X-Amzn-Requestid") == "" || header.Get("Content-Type") != "application/json" {
		t.Errorf("UUID %q, headers %v", id, header)
	}
	modified := answer["LastModified"]
	if n, ok := modified.(json.Number); !ok || !strings.HasPrefix(n.String(), "1") {
		t.Errorf("LastModified %v", modified)
	}
	recorded := func(id, modified any, rest string) string {
		return fmt.Sprintf(`{"UUID":%q,"LastModified":%s,"FunctionArn":"`+accountARN+`function:orders","EventSourceMappingArn":"`+accountARN+`event-source-mapping:%s",
			"LastProcessingResult":"No records processed","SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["kafka:1000"]}},
			"SourceAccessConfigurations":[{"Type":"BASIC_AUTH","URI":"`+secretARN+`"}],"State":"Creating","StateTransitionReason":"USER_INITIATED",%s}`, id, modified, id, rest)
	}
	expect("event-source-mapping-default", 202, status, answer, recorded(id, modified,
		`"BatchSize":100,"SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"`+id+`"},"StartingPosition":"TRIM_HORIZON","Topics":["topic"]`))

	status, header, answer = r.call("POST", mappings, body(nil))
	exists := func(servers string) string {
		return fmt.Sprintf(`{"Type":"User","message":"An event source mapping with event source (\"%s\"), function (\"%sfunction:orders\"), topics (\"topic\") already exists. Please update or delete the existing mapping with UUID %s"}`, servers, accountARN, id)
	}
	expect("duplicate-source", 409, status, answer, exists("kafka:1000"))
	if header.Get("X-Amzn-Errortype") != "ResourceConflictException" {
		t.Errorf("%v", header)
	}

	status, _, answer = r.call("POST", mappings, body(map[string]any{"Topics": []string{"topic_2"}, "BatchSize": 1, "StartingPosition": "LATEST",
		"SelfManagedKafkaEventSourceConfig": map[string]string{"ConsumerGroupId": "random_id"}}))
	expect("event-source-mapping-values", 202, status, answer, recorded(answer["UUID"], answer["LastModified"],
		`"BatchSize":1,"SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"random_id"},"StartingPosition":"LATEST","Topics":["topic_2"]`))

	status, _, answer = r.call("POST", mappings, body(map[string]any{"BatchSize": 1, "SelfManagedEventSource": servers("kafka:1000", "kafka:2000"),
		"SelfManagedKafkaEventSourceConfig": map[string]string{"ConsumerGroupId": "random_id"}}))
	expect("multiple-duplicate-source", 409, status, answer, exists("kafka:1000,kafka:2000"))
}

// TestErrors compares each error with its text: recorded on AWS for other sources, built as AWS's front end builds it,
// or our own.
func TestErrors(t *testing.T) {
	r := newRig(t, api.WithoutAuthentication())
	const unknown = "11111111-2222-4333-8444-555555555555"
	const patternOfNames = `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`
	filter := func(pattern any) map[string]any {
		return map[string]any{"FilterCriteria": map[string]any{"Filters": []any{map[string]any{"Pattern": pattern}}}}
	}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		exception, text    string // the whole text, or its beginning and "…"
	}{
		"get unknown":       {"GET", mappings + "/" + unknown, "", 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		"delete unknown":    {"DELETE", mappings + "/" + unknown, "", 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		"update unknown":    {"PUT", mappings + "/" + unknown, "{}", 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		"no source":         {"POST", mappings, body(map[string]any{"SelfManagedEventSource": nil}), 400, "InvalidParameterValueException", "Unrecognized event source."},
		"unknown function":  {"POST", mappings, body(map[string]any{"FunctionName": "nobody"}), 400, "InvalidParameterValueException", "Function does not exist"},
		"OnSuccess":         {"POST", mappings, body(map[string]any{"DestinationConfig": map[string]any{"OnSuccess": map[string]string{"Destination": "arn:aws:sqs:us-east-1:111111111111:q"}}}), 400, "InvalidParameterValueException", "Unsupported DestinationConfig parameter for given event source mapping type."},
		"starting position": {"POST", mappings, body(map[string]any{"StartingPosition": "invalid"}), 400, "ValidationException", "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"},
		"filter string":     {"POST", mappings, body(filter("simple string")), 400, "InvalidParameterValueException", "Invalid filter pattern definition."},
		"filter no JSON":    {"POST", mappings, body(filter("[{")), 400, "InvalidParameterValueException", "Invalid filter pattern definition."},
		"filter null":       {"POST", mappings, body(filter(nil)), 400, "InvalidParameterValueException", "Invalid filter pattern definition."},
		"tag unknown":       {"POST", "/2017-03-31/tags/" + accountARN + "event-source-mapping:" + unknown, `{"Tags":{"a":"b"}}`, 404, "ResourceNotFoundException", "Event source mapping not found: " + accountARN + "event-source-mapping:" + unknown},
		"tag no ARN":        {"GET", "/2017-03-31/tags/" + accountARN + "event-source-mapping:" + unknown + "%3Aalias", "", 400, "ValidationException", "1 validation error detected: Value '" + accountARN + "event-source-mapping:" + unknown + ":alias' at 'resource' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:…"},

		"no function":       {"POST", mappings, body(map[string]any{"FunctionName": nil}), 400, "ValidationException", "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null"},
		"function's form":   {"POST", mappings, body(map[string]any{"FunctionName": "a b"}), 400, "ValidationException", "1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: " + patternOfNames},
		"batch size":        {"POST", mappings, body(map[string]any{"BatchSize": 0}), 400, "ValidationException", "1 validation error detected: Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"two of them":       {"POST", mappings, body(map[string]any{"BatchSize": 10001, "MaximumBatchingWindowInSeconds": 301}), 400, "ValidationException", "2 validation errors detected: Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000; Value '301' at 'maximumBatchingWindowInSeconds' failed to satisfy constraint: Member must have value less than or equal to 300"},
		"nested enum":       {"POST", mappings, body(map[string]any{"SourceAccessConfigurations": []any{map[string]string{"Type": "NONE", "URI": "x"}}}), 400, "ValidationException", "1 validation error detected: Value 'NONE' at 'sourceAccessConfigurations.1.member.type' failed to satisfy constraint: Member must satisfy enum value set: [BASIC_AUTH, …"},
		"endpoint key":      {"POST", mappings, body(map[string]any{"SelfManagedEventSource": map[string]any{"Endpoints": map[string]any{"X": []string{"a:1"}}}}), 400, "ValidationException", "1 validation error detected: Value 'X' at 'selfManagedEventSource.endpoints' …"},
		"validation first":  {"POST", mappings, body(map[string]any{"FunctionName": "nobody", "BatchSize": -1}), 400, "ValidationException", "…"},
		"UUID's length":     {"GET", mappings + "/dh38738e-992b-343a-1077-3478934hjkfd7", "", 400, "ValidationException", "1 validation error detected: Value 'dh38738e-992b-343a-1077-3478934hjkfd7' at 'uUID' failed to satisfy constraint: Member must have length less than or equal to 36"},
		"MaxItems":          {"GET", mappings + "?MaxItems=0", "", 400, "ValidationException", "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"MaxItems a word":   {"GET", mappings + "?MaxItems=x", "", 400, "SerializationException", `MaxItems: found "x", want a whole number from 1 to 10000`},
		"Marker":            {"GET", mappings + "?Marker=x", "", 400, "InvalidParameterValueException", "Invalid Marker: use the NextMarker of the page before."},
		"EventSourceArn":    {"GET", mappings + "?EventSourceArn=x", "", 400, "ValidationException", "1 validation error detected: Value 'x' at 'eventSourceArn' …"},
		"untag without key": {"DELETE", "/2017-03-31/tags/" + accountARN + "event-source-mapping:" + unknown, "", 404, "ResourceNotFoundException", "…"},

		"not JSON":          {"POST", mappings, "{\n \"FunctionName\": x}", 400, "SerializationException", "The request body is not JSON: line 2, column 18: invalid character 'x' looking for beginning of value"},
		"cut off":           {"POST", mappings, `{"FunctionName":`, 400, "SerializationException", "The request body is not JSON: it ends in the middle."},
		"two documents":     {"POST", mappings, `{} {}`, 400, "SerializationException", "The request body is not JSON: something follows the JSON document"},
		"an array":          {"POST", mappings, `[]`, 400, "SerializationException", "The request body is not a JSON object: found an array"},
		"wrong kind":        {"POST", mappings, body(map[string]any{"BatchSize": "7"}), 400, "SerializationException", "batchSize: found a string, want a whole number"},
		"a fraction":        {"POST", mappings, body(map[string]any{"BatchSize": 1.5}), 400, "SerializationException", "batchSize: found the number 1.5, want a whole number"},
		"unknown name":      {"POST", mappings, body(map[string]any{"BatchSise": 7}), 400, "InvalidParameterValueException", "BatchSise: is not a parameter; there are …"},
		"unknown below":     {"POST", mappings, body(map[string]any{"FilterCriteria": map[string]any{"Filter": []any{}}}), 400, "InvalidParameterValueException", "FilterCriteria.Filter: is not a parameter; there are Filters"},
		"of a response":     {"POST", mappings, body(map[string]any{"State": "Enabled"}), 400, "InvalidParameterValueException", "State is not a parameter of this operation; there are …"},
		"a UUID":            {"POST", mappings, body(map[string]any{"UUID": unknown}), 400, "InvalidParameterValueException", "UUID is not a parameter of this operation; there are …"},
		"of another source": {"POST", mappings, body(map[string]any{"EventSourceArn": "arn:aws:sqs:us-east-1:111111111111:q"}), 400, "InvalidParameterValueException", "EventSourceArn: is for AWS's own sources; …"},
		"no topic":          {"POST", mappings, body(map[string]any{"Topics": nil}), 400, "InvalidParameterValueException", "Topics: name at least one topic"},
		"Queue":             {"POST", mappings, body(map[string]any{"SelfManagedKafkaEventSourceConfig": map[string]string{"ConsumptionMode": "Queue"}}), 400, "InvalidParameterValueException", "…"},
		"tags missing":      {"POST", "/2017-03-31/tags/" + accountARN + "function:orders", `{}`, 404, "ResourceNotFoundException", "Function not found: " + accountARN + "function:orders"},

		"unknown operation": {"GET", "/2015-03-31/layers", "", 404, "UnknownOperationException", "There is no operation …"},
		"PATCH":             {"PATCH", mappings, "{}", 404, "UnknownOperationException", "There is no operation …"},
		"escaped slash":     {"GET", "/2015-03-31%2Fevent-source-mappings", "", 404, "UnknownOperationException", "…"},
		"a path in the id":  {"GET", mappings + "/../event-source-mappings", "", 404, "UnknownOperationException", "…"},
		"escaping the path": {"GET", mappings + "/..%2F..%2Fetc%2Fpasswd", "", 400, "ValidationException", "1 validation error detected: Value '../../etc/passwd' at 'uUID' …"},
		"GetFunction":       {"GET", "/2015-03-31/functions/nobody", "", 404, "ResourceNotFoundException", "Function not found: " + accountARN + "function:nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, answer := r.call(c.method, c.path, c.body)
			text, _ := answer["message"].(string)
			if text == "" {
				text, _ = answer["Message"].(string)
			}
			begins, cut := strings.CutSuffix(c.text, "…")
			if status != c.status || header.Get("X-Amzn-Errortype") != c.exception || answer["Type"] != "User" || !cut && text != c.text || !strings.HasPrefix(text, begins) {
				t.Errorf("%d %s %v\nwant %d %s %s", status, header.Get("X-Amzn-Errortype"), answer, c.status, c.exception, c.text)
			}
			if _, capital := answer["Message"]; capital != slices.Contains([]string{"ResourceNotFoundException", "ResourceInUseException", "ServiceException"}, c.exception) {
				t.Errorf("Message or message: %v", answer)
			}
		})
	}
	if page, _ := r.manager.List(managerFilter{}); len(page) != 0 {
		t.Errorf("refused requests left %v", page)
	}
}

// TestStates checks the states recorded for other sources: created disabled, enabled, and the function changed.
func TestStates(t *testing.T) {
	r := newRig(t, api.WithoutAuthentication())
	_, _, answer := r.call("POST", mappings, body(map[string]any{"Enabled": false, "FilterCriteria": map[string]any{"Filters": []any{}}}))
	path := mappings + "/" + fmt.Sprint(answer["UUID"])
	if answer["State"] != "Disabled" || answer["FilterCriteria"] != nil {
		t.Errorf("created disabled: %v", answer)
	}
	state := func(want string) {
		t.Helper()
		within(t, want, func() bool {
			_, _, answer := r.call("GET", path, "")
			return answer["State"] == want
		})
	}
	state("Disabled")
	if _, _, answer := r.call("PUT", path, `{"Enabled":true}`); answer["State"] != "Enabling" {
		t.Errorf("enabled: %v", answer)
	}
	state("Enabled")
	if _, _, answer := r.call("PUT", path, `{"FunctionName":"billing:$LATEST"}`); answer["State"] != "Updating" || answer["FunctionArn"] != accountARN+"function:billing:$LATEST" {
		t.Errorf("function changed: %v", answer)
	}
	state("Enabled")
	for _, set := range []struct{ change, name string }{
		{`{"FilterCriteria":{"Filters":[{"Pattern":"{\"value\":[\"a\"]}"}]},"ProvisionedPollerConfig":{"MaximumPollers":2}}`, ""},
		{`{"FilterCriteria":{}}`, "FilterCriteria"}, {`{"ProvisionedPollerConfig":{}}`, "ProvisionedPollerConfig"},
	} {
		if status, _, answer := r.call("PUT", path, set.change); status != 202 || set.name != "" && answer[set.name] != nil {
			t.Errorf("%s: %d %v", set.change, status, answer)
		}
	}
	for _, change := range []string{`{"Topics":["topic_2"]}`, `{"StartingPosition":"LATEST"}`, `{"SelfManagedKafkaEventSourceConfig":{"ConsumerGroupId":"other"}}`} {
		if status, header, answer := r.call("PUT", path, change); status != 400 || header.Get("X-Amzn-Errortype") != "InvalidParameterValueException" || !strings.Contains(fmt.Sprint(answer["message"]), "cannot be updated") {
			t.Errorf("%s: %d %v", change, status, answer)
		}
	}
	if status, _, answer := r.call("PUT", path, `{"SelfManagedKafkaEventSourceConfig":{}}`); status != 202 {
		t.Errorf("%v", answer)
	}
	if _, _, answer := r.call("DELETE", path, ""); answer["State"] != "Deleting" {
		t.Errorf("deleted: %v", answer)
	}
	within(t, "its end", func() bool {
		status, _, _ := r.call("GET", path, "")
		return status == http.StatusNotFound
	})
}
