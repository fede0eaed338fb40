// A Temporal server in one process, for development and tests: takes the flags of the CLI's `server start-dev`.
//
// With --stop-with-stdin it ends when its standard input does, so that it never outlives the process that started it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
)

type pairs []string

func (p *pairs) String() string     { return strings.Join(*p, " ") }
func (p *pairs) Set(v string) error { *p = append(*p, v); return nil }

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("no free port: %v", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func main() {
	_ = os.Unsetenv("OTEL_TRACES_EXPORTER") // what is set for other programs: traces are left out of this one
	arguments := os.Args[1:]
	for len(arguments) > 0 && !strings.HasPrefix(arguments[0], "-") { // `server start-dev`
		arguments = arguments[1:]
	}
	flags := flag.NewFlagSet("devserver", flag.ExitOnError)
	var settings, namespaces pairs
	port := flags.Int("port", 7233, "port of the frontend")
	ip := flags.String("ip", "127.0.0.1", "address of the frontend")
	file := flags.String("db-filename", "", "keep state in this file (none: in memory)")
	level := flags.String("log-level", "error", "debug, info, warn, error")
	stdin := flags.Bool("stop-with-stdin", false, "end when standard input ends")
	flags.String("log-format", "json", "ignored")
	flags.Bool("headless", true, "ignored: there is no web page")
	flags.Var(&settings, "dynamic-config-value", "KEY=JSON")
	flags.Var(&namespaces, "namespace", "make this namespace")
	if err := flags.Parse(arguments); err != nil {
		fail("%v", err)
	}
	if len(namespaces) == 0 {
		namespaces = pairs{"default"}
	}

	store := config.SQL{PluginName: sqliteplugin.PluginName, DatabaseName: *file, ConnectAttributes: map[string]string{}}
	if *file == "" {
		store.DatabaseName = fmt.Sprintf("devserver-%d", rand.Int63())
		store.ConnectAttributes["mode"] = "memory"
		store.ConnectAttributes["cache"] = "shared"
	} else {
		store.ConnectAttributes["mode"] = "rwc"
		store.ConnectAttributes["journal_mode"] = "WAL"
		store.ConnectAttributes["synchronous"] = "NORMAL"
		if _, err := os.Stat(*file); os.IsNotExist(err) {
			if err := sqlite.SetupSchema(&store); err != nil {
				fail("cannot set up %s: %v", *file, err)
			}
		}
	}

	// One process has no need of gossip to learn where each service is.
	services, hosts := map[string]config.Service{}, map[primitives.ServiceName]static.Hosts{}
	service := func(name primitives.ServiceName, servicePort int) string {
		services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: servicePort, BindOnIP: *ip}}
		at := fmt.Sprintf("%s:%d", *ip, servicePort)
		hosts[name] = static.SingleLocalHost(at)
		return at
	}
	address := service(primitives.FrontendService, *port)
	service(primitives.HistoryService, freePort())
	service(primitives.MatchingService, freePort())
	service(primitives.WorkerService, freePort())
	cfg := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     sqliteplugin.PluginName,
			VisibilityStore:  sqliteplugin.PluginName,
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{sqliteplugin.PluginName: {SQL: &store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        "active",
			CurrentClusterName:       "active",
			ClusterInformation: map[string]cluster.ClusterInformation{
				"active": {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            services,
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		PublicClient: config.PublicClient{HostPort: address},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}

	for _, name := range namespaces {
		namespace, err := sqlite.NewNamespaceConfig("active", name, false, nil)
		if err != nil {
			fail("namespace %s: %v", name, err)
		}
		if err := sqlite.CreateNamespaces(&store, namespace); err != nil {
			fail("namespace %s: %v", name, err)
		}
	}

	dynamic := dynamicconfig.StaticClient{
		// Limits that protect a cluster would only be measured by a test.
		dynamicconfig.MakeKey("frontend.rps"):                                   100000,
		dynamicconfig.MakeKey("frontend.namespaceRPS"):                          100000,
		dynamicconfig.MakeKey("frontend.namespaceRPS.visibility"):               1000,
		dynamicconfig.MakeKey("frontend.namespaceCount"):                        100000,
		dynamicconfig.MakeKey("frontend.globalNamespaceRPS"):                    100000,
		dynamicconfig.MakeKey("history.rps"):                                    100000,
		dynamicconfig.MakeKey("matching.rps"):                                   100000,
		dynamicconfig.MakeKey("history.persistenceMaxQPS"):                      100000,
		dynamicconfig.MakeKey("frontend.persistenceMaxQPS"):                     100000,
		dynamicconfig.MakeKey("matching.persistenceMaxQPS"):                     100000,
		dynamicconfig.MakeKey("frontend.WorkflowTimeSkippingEnabled"):           true,
		dynamicconfig.MakeKey("system.forceSearchAttributesCacheRefreshOnRead"): true,
	}
	for _, setting := range settings {
		key, text, found := strings.Cut(setting, "=")
		var value any
		if !found || json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		dynamic[dynamicconfig.MakeKey(key)] = value
	}

	authorizer, err := authorization.GetAuthorizerFromConfig(&cfg.Global.Authorization)
	if err != nil {
		fail("%v", err)
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Stdout: false, Level: *level}))),
		temporal.WithAuthorizer(authorizer),
		temporal.WithDynamicConfigClient(dynamic),
		temporal.WithStaticHosts(hosts),
	)
	if err != nil {
		fail("cannot build the server: %v", err)
	}
	if err := server.Start(); err != nil {
		fail("cannot start the server: %v", err)
	}
	fmt.Println("listening on", address)

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	if *stdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			ended <- syscall.SIGTERM
		}()
	}
	<-ended
	go func() { // the state is in the file; nobody waits for a graceful end that hangs
		time.Sleep(5 * time.Second)
		os.Exit(0)
	}()
	_ = server.Stop()
}
