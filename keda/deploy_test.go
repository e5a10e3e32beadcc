package keda

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The parts of Kubernetes' and KEDA's API that the example uses. Decoding is strict, so a misspelt or
// misplaced field fails.
type (
	named struct {
		Name, Namespace string
		Labels          map[string]string
	}
	head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   named
	}
	labels struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	policy struct {
		Type          string
		Value         int
		PeriodSeconds int `yaml:"periodSeconds"`
	}
	rules struct {
		StabilizationWindowSeconds *int   `yaml:"stabilizationWindowSeconds"`
		SelectPolicy               string `yaml:"selectPolicy"`
		Policies                   []policy
	}
	scaledObject struct {
		head `yaml:",inline"`
		Spec struct {
			ScaleTargetRef  struct{ Name string } `yaml:"scaleTargetRef"`
			PollingInterval int                   `yaml:"pollingInterval"`
			CooldownPeriod  int                   `yaml:"cooldownPeriod"`
			MinReplicaCount int                   `yaml:"minReplicaCount"`
			MaxReplicaCount int                   `yaml:"maxReplicaCount"`
			Advanced        struct {
				HorizontalPodAutoscalerConfig struct {
					Behavior struct {
						ScaleDown rules `yaml:"scaleDown"`
						ScaleUp   rules `yaml:"scaleUp"`
					}
				} `yaml:"horizontalPodAutoscalerConfig"`
			}
			Fallback struct {
				FailureThreshold int `yaml:"failureThreshold"`
				Replicas         int
			}
			Triggers []struct {
				Type       string
				MetricType string `yaml:"metricType"`
				Metadata   map[string]string
			}
		}
	}
	probe struct {
		GRPC struct {
			Port    int
			Service string
		} `yaml:"grpc"`
		InitialDelaySeconds int `yaml:"initialDelaySeconds"`
	}
	container struct {
		Name, Image string
		Args        []string
		Ports       []struct {
			Name          string
			ContainerPort int `yaml:"containerPort"`
		}
		ReadinessProbe  probe `yaml:"readinessProbe"`
		LivenessProbe   probe `yaml:"livenessProbe"`
		Resources       struct{ Requests, Limits map[string]string }
		SecurityContext struct {
			AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
			ReadOnlyRootFilesystem   *bool `yaml:"readOnlyRootFilesystem"`
			Capabilities             struct{ Drop []string }
		} `yaml:"securityContext"`
		VolumeMounts []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
			ReadOnly  bool   `yaml:"readOnly"`
		} `yaml:"volumeMounts"`
	}
	deployment struct {
		head `yaml:",inline"`
		Spec struct {
			Replicas int
			Strategy struct{ Type string }
			Selector labels
			Template struct {
				Metadata named
				Spec     struct {
					AutomountServiceAccountToken  *bool `yaml:"automountServiceAccountToken"`
					TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
					SecurityContext               struct {
						RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
						RunAsUser      int                   `yaml:"runAsUser"`
						FSGroup        int                   `yaml:"fsGroup"`
						SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
					} `yaml:"securityContext"`
					Containers []container
					Volumes    []struct {
						Name   string
						Secret struct {
							SecretName  string `yaml:"secretName"`
							DefaultMode int    `yaml:"defaultMode"`
						}
					}
				}
			}
		}
	}
	clusterService struct {
		head `yaml:",inline"`
		Spec struct {
			Selector map[string]string
			Ports    []struct {
				Name       string
				Port       int
				TargetPort string `yaml:"targetPort"`
			}
		}
	}
	networkPolicy struct {
		head `yaml:",inline"`
		Spec struct {
			PodSelector labels   `yaml:"podSelector"`
			PolicyTypes []string `yaml:"policyTypes"`
			Ingress     []struct {
				From []struct {
					PodSelector       labels `yaml:"podSelector"`
					NamespaceSelector labels `yaml:"namespaceSelector"`
				}
				Ports []struct{ Port int }
			}
		}
	}
)

// documents splits a file and returns each document by its kind.
func documents(t *testing.T, path string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	byKind := map[string][]byte{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var node yaml.Node
		if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
			return byKind
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var of head
		if err := node.Decode(&of); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		one, err := yaml.Marshal(&node)
		if err != nil {
			t.Fatal(err)
		}
		byKind[of.APIVersion+" "+of.Kind] = one
	}
}

func decode[T any](t *testing.T, documents map[string][]byte, kind string) (v T) {
	t.Helper()
	text, ok := documents[kind]
	if !ok {
		t.Fatalf("there is no %s", kind)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return v
}

// TestExampleDeployment checks that all references match, and that the scaler accepts the metadata.
func TestExampleDeployment(t *testing.T) {
	ours := documents(t, "deploy/scaler.yaml")
	d := decode[deployment](t, ours, "apps/v1 Deployment")
	s := decode[clusterService](t, ours, "v1 Service")
	n := decode[networkPolicy](t, ours, "networking.k8s.io/v1 NetworkPolicy")
	o := decode[scaledObject](t, documents(t, "deploy/scaledobject.yaml"), "keda.sh/v1alpha1 ScaledObject")
	if len(d.Spec.Template.Spec.Containers) != 1 || len(s.Spec.Ports) != 1 || len(o.Spec.Triggers) != 1 {
		t.Fatal("want one container, one port, one trigger")
	}
	c, port, trigger := d.Spec.Template.Spec.Containers[0], s.Spec.Ports[0], o.Spec.Triggers[0]

	for where, selector := range map[string]map[string]string{
		"Deployment": d.Spec.Selector.MatchLabels, "Service": s.Spec.Selector, "NetworkPolicy": n.Spec.PodSelector.MatchLabels,
	} {
		if len(selector) == 0 {
			t.Errorf("%s selects everything", where)
		}
		for name, value := range selector {
			if d.Spec.Template.Metadata.Labels[name] != value {
				t.Errorf("%s selects %s=%s, which the pod is not", where, name, value)
			}
		}
	}
	if len(c.Ports) != 1 || c.Ports[0].Name != port.TargetPort || c.ReadinessProbe.GRPC.Port != c.Ports[0].ContainerPort ||
		c.LivenessProbe.GRPC.Port != c.Ports[0].ContainerPort || n.Spec.Ingress[0].Ports[0].Port != c.Ports[0].ContainerPort {
		t.Error("the ports of container, Service, probes and NetworkPolicy do not go together")
	}
	if c.ReadinessProbe.GRPC.Service != ServiceName {
		t.Errorf("the readiness probe asks for %q", c.ReadinessProbe.GRPC.Service)
	}
	if want := fmt.Sprintf("-listen=:%d", c.Ports[0].ContainerPort); c.Args[0] != want {
		t.Errorf("the first argument is %q, want %q", c.Args[0], want)
	}
	if want := "/run/secrets/esm/" + o.Metadata.Namespace; c.VolumeMounts[0].MountPath != want || c.VolumeMounts[0].Name != d.Spec.Template.Spec.Volumes[0].Name {
		t.Errorf("the secrets are mounted at %s, want %s", c.VolumeMounts[0].MountPath, want)
	}

	if want := fmt.Sprintf("%s.%s.svc.cluster.local:%d", s.Metadata.Name, s.Metadata.Namespace, port.Port); trigger.Metadata["scalerAddress"] != want {
		t.Errorf("scalerAddress is %s, want %s", trigger.Metadata["scalerAddress"], want)
	}
	if trigger.MetricType != "AverageValue" || trigger.Type != "external-push" {
		t.Errorf("the trigger is %s with %s", trigger.Type, trigger.MetricType)
	}
	cfg, err := parse(trigger.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.minReplicas != o.Spec.MinReplicaCount || cfg.maxReplicas != o.Spec.MaxReplicaCount {
		t.Errorf("metadata say %d to %d replicas, the ScaledObject %d to %d", cfg.minReplicas, cfg.maxReplicas, o.Spec.MinReplicaCount, o.Spec.MaxReplicaCount)
	}
	if o.Spec.Fallback.Replicas < 1 || o.Spec.Fallback.Replicas > o.Spec.MaxReplicaCount || o.Spec.Fallback.FailureThreshold < 1 {
		t.Errorf("the fallback is %+v", o.Spec.Fallback)
	}
}

// TestStrictDecoding checks that the decoding above detects a misspelt field.
func TestStrictDecoding(t *testing.T) {
	for _, text := range []string{
		"apiVersion: v1\nkind: Service\nspec:\n  selectors: {a: b}\n", "apiVersion: v1\nkind: Service\nspec:\n  ports: [{port: http}]\n",
	} {
		decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
		decoder.KnownFields(true)
		var s clusterService
		if err := decoder.Decode(&s); err == nil {
			t.Errorf("%s was accepted: %s", strconv.Quote(text), fmt.Sprint(s))
		}
	}
}
