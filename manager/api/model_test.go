package api_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCLIWithNewerModel gives the aws command, whose own model is older than ConsumptionMode, the model of boto3, as
// its users do with AWS_DATA_PATH.
func TestCLIWithNewerModel(t *testing.T) {
	models, err := filepath.Glob(client(t, "boto3", "lib") + "/*/site-packages/botocore/data/lambda/2015-03-31/service-2.json.gz")
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	packed, err := os.Open(models[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	model, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	directory := filepath.Join(data, "lambda", "2015-03-31")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "service-2.json"), model, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	create := "aws lambda create-event-source-mapping --topics topic --function-name orders --starting-position TRIM_HORIZON" +
		` --self-managed-event-source '{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["abc3.xyz.com:9092"]}}' --source-access-configurations Type=BASIC_AUTH,URI=` + secretARN +
		" --self-managed-kafka-event-source-config ConsumerGroupId=g,ConsumptionMode="
	if _, complaint := r.aws(create + "Stream"); !strings.Contains(complaint, "ConsumptionMode") { // otherwise the test proves nothing
		t.Errorf("with its own model the command takes ConsumptionMode: %q", complaint)
	}
	newer := "export AWS_DATA_PATH=" + data + "\n"
	if _, complaint := r.aws(newer + create + "Queue"); !strings.Contains(complaint, "(InvalidParameterValueException)") || !strings.Contains(complaint, "Queue mode") {
		t.Error(complaint)
	}
	created := r.must(newer + create + "Stream")
	config, _ := created["SelfManagedKafkaEventSourceConfig"].(map[string]any)
	if config["ConsumptionMode"] != "Stream" || config["ConsumerGroupId"] != "g" {
		t.Errorf("%v", created)
	}
	id, _ := created["UUID"].(string)
	shown := r.must(newer + "aws lambda get-event-source-mapping --uuid " + id)
	if config, _ := shown["SelfManagedKafkaEventSourceConfig"].(map[string]any); config["ConsumptionMode"] != "Stream" {
		t.Errorf("%v", shown)
	}
}
