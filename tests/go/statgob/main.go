// Statgob writes and reads StatMessages with Go's own encoding/gob, in the struct types of each Knative release that
// took gob (0.1 to 0.16), so that our Python codec is measured against the real thing.
//
//	statgob encode SHAPE   prints the fixed messages below as JSON lines, each with its frame in hexadecimal
//	statgob decode SHAPE   reads frames, each behind its length as 4 big-endian bytes, and prints each as a JSON line:
//	                       every field as a fresh gob.Decoder left it, or {"error": ...}
//
// SHAPE is a release, such as 0.7. The field names and types are facts of Knative Serving, pkg/autoscaler (StatMessage and
// Stat in autoscaler.go, later collector.go; metrics/ since 0.12). Gob sends the names of struct types too, hence the same
// two names in a scope for each release.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"reflect"
	"time"
)

// Message is one report in words that hold for every release.
type Message struct {
	Namespace   string  `json:"namespace"`
	Name        string  `json:"name"`
	PodName     string  `json:"pod_name"`
	Concurrency float64 `json:"concurrency"`
	Requests    int64   `json:"requests"`
	Unix        float64 `json:"unix"`
}

// Vector is a Message and the bytes that a fresh gob.Encoder makes of it.
type Vector struct {
	Shape string `json:"shape"`
	Message
	Frame string `json:"frame"`
}

var messages = []Message{
	{"default", "hello-00001", "activator-7f9c", 1, 1, 1700000000},
	{"default", "hello-00001", "activator-7f9c", 0.001, 0, 1700000000.25},
	{"a", "b", "activator", 18.3, 1 << 40, 1},
	{"shop", "checkout-v2", "activator-größe-日本-🚀", 0.1, math.MaxInt32, 4102444800.5},
	{"quiet", "nothing-00007", "activator-" + string(bytes.Repeat([]byte("x"), 243)), 0, 0, 0},
	{"busy", "crowd-00128", "activator-7f9c", 1e300, 128, 1262304000.999},
}

var shapes = map[string]func() any{
	"0.1": func() any {
		type RevisionKey string
		type Stat struct {
			Time                      *time.Time
			PodName                   string
			AverageConcurrentRequests float64
			RequestCount              int32
		}
		type StatMessage struct {
			Key  RevisionKey
			Stat Stat
		}
		return &StatMessage{}
	},
	"0.2": func() any {
		type Stat struct {
			Time                      *time.Time
			PodName                   string
			AverageConcurrentRequests float64
			RequestCount              int32
			LameDuck                  bool
		}
		type StatMessage struct {
			Key  string
			Stat Stat
		}
		return &StatMessage{}
	},
	"0.5": func() any {
		type Stat struct {
			Time                             *time.Time
			PodName                          string
			AverageConcurrentRequests        float64
			AverageProxiedConcurrentRequests float64
			RequestCount                     int32
			ProxiedRequestCount              int32
		}
		type StatMessage struct {
			Key  string
			Stat Stat
		}
		return &StatMessage{}
	},
	"0.7": func() any {
		type Stat struct {
			Time                             *time.Time
			PodName                          string
			AverageConcurrentRequests        float64
			AverageProxiedConcurrentRequests float64
			RequestCount                     float64
			ProxiedRequestCount              float64
		}
		type StatMessage struct {
			Key  string
			Stat Stat
		}
		return &StatMessage{}
	},
	"0.8": func() any {
		type NamespacedName struct{ Namespace, Name string }
		type Stat struct {
			Time                             *time.Time
			PodName                          string
			AverageConcurrentRequests        float64
			AverageProxiedConcurrentRequests float64
			RequestCount                     float64
			ProxiedRequestCount              float64
		}
		type StatMessage struct {
			Key  NamespacedName
			Stat Stat
		}
		return &StatMessage{}
	},
	"0.10": func() any {
		type NamespacedName struct{ Namespace, Name string }
		type Stat struct {
			Time                             time.Time
			PodName                          string
			AverageConcurrentRequests        float64
			AverageProxiedConcurrentRequests float64
			RequestCount                     float64
			ProxiedRequestCount              float64
		}
		type StatMessage struct {
			Key  NamespacedName
			Stat Stat
		}
		return &StatMessage{}
	},
	"0.12": func() any {
		type NamespacedName struct{ Namespace, Name string }
		type Stat struct {
			Time                             time.Time
			PodName                          string
			AverageConcurrentRequests        float64
			AverageProxiedConcurrentRequests float64
			RequestCount                     float64
			ProxiedRequestCount              float64
			ProcessUptime                    float64
		}
		type StatMessage struct {
			Key  NamespacedName
			Stat Stat
		}
		return &StatMessage{}
	},
	"0.16": func() any {
		type NamespacedName struct{ Namespace, Name string }
		type Stat struct {
			PodName                          string
			AverageConcurrentRequests        float64
			AverageProxiedConcurrentRequests float64
			RequestCount                     float64
			ProxiedRequestCount              float64
			ProcessUptime                    float64
		}
		type StatMessage struct {
			Key  NamespacedName
			Stat Stat
		}
		return &StatMessage{}
	},
}

// since names the release that brought the shape of a release in between.
var since = map[string]string{
	"0.3": "0.2", "0.4": "0.2", "0.6": "0.5", "0.9": "0.8", "0.11": "0.10", "0.13": "0.12", "0.14": "0.12", "0.15": "0.12",
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: statgob encode|decode SHAPE")
	}
	shape := os.Args[2]
	if first, ok := since[shape]; ok {
		shape = first
	}
	fresh, ok := shapes[shape]
	if !ok {
		log.Fatalf("no release of Knative that took gob: %s", shape)
	}
	out := bufio.NewWriter(os.Stdout)
	var err error
	switch os.Args[1] {
	case "encode":
		err = encode(shape, fresh, out)
	case "decode":
		err = decode(fresh, bufio.NewReader(os.Stdin), out)
	default:
		err = fmt.Errorf("no such mode: %s", os.Args[1])
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		log.Fatal(err)
	}
}

func encode(shape string, fresh func() any, out io.Writer) error {
	// Up to Go 1.19, with which Knative 0.1 to 0.16 were built, a program's first type has id 65; since then 64. To
	// spend 64 on a type of no interest makes the frames those of the activators of that time.
	if err := gob.NewEncoder(io.Discard).Encode(struct{ Spent int }{}); err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	for _, message := range messages {
		value := fresh()
		fill(reflect.ValueOf(value).Elem(), message)
		var frame bytes.Buffer
		if err := gob.NewEncoder(&frame).Encode(value); err != nil {
			return err
		}
		if err := lines.Encode(Vector{shape, message, hex.EncodeToString(frame.Bytes())}); err != nil {
			return err
		}
	}
	return nil
}

func decode(fresh func() any, in io.Reader, out io.Writer) error {
	lines := json.NewEncoder(out)
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		frame := make([]byte, length)
		if _, err := io.ReadFull(in, frame); err != nil {
			return err
		}
		value := fresh()
		if err := gob.NewDecoder(bytes.NewReader(frame)).Decode(value); err != nil {
			value = map[string]string{"error": err.Error()}
		}
		if err := lines.Encode(value); err != nil {
			return err
		}
	}
}

// fill puts a message into a StatMessage of any release.
func fill(value reflect.Value, message Message) {
	if key := value.FieldByName("Key"); key.Kind() == reflect.String {
		key.SetString(message.Namespace + "/" + message.Name)
	} else {
		key.FieldByName("Namespace").SetString(message.Namespace)
		key.FieldByName("Name").SetString(message.Name)
	}
	stat := value.FieldByName("Stat")
	stat.FieldByName("PodName").SetString(message.PodName)
	stat.FieldByName("AverageConcurrentRequests").SetFloat(message.Concurrency)
	if count := stat.FieldByName("RequestCount"); count.Kind() == reflect.Int32 {
		count.SetInt(min(message.Requests, math.MaxInt32))
	} else {
		count.SetFloat(float64(message.Requests))
	}
	seconds, fraction := math.Modf(message.Unix)
	now := time.Unix(int64(seconds), int64(fraction*1e9)).UTC()
	switch at := stat.FieldByName("Time"); {
	case !at.IsValid():
	case at.Kind() == reflect.Pointer:
		at.Set(reflect.ValueOf(&now))
	default:
		at.Set(reflect.ValueOf(now))
	}
}
