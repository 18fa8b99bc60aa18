// Command pause holds the namespaces of a pod: it waits until it is told to end, and buries the
// orphans that come to it as the first process of a pod.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for {
		for child := 1; child > 0; {
			child, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
		if <-signals != syscall.SIGCHLD {
			return
		}
	}
}
