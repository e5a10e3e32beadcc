package runtime

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
)

// ownsSocket reports whether the connection from remote to port belongs to a process of the group that leader heads.
func ownsSocket(leader int, remote, port *net.TCPAddr) bool {
	inode := socketInode(remote, port)
	if inode == "" {
		return false
	}
	link := "socket:[" + inode + "]"
	if hasFile(leader, link) {
		return true
	}
	found := false
	eachProcess(func(pid int) {
		if found || pid == leader {
			return
		}
		if group, ok := processGroup(pid); ok && group == leader {
			found = hasFile(pid, link)
		}
	})
	return found
}

// hasFile reports whether one of a process's files is what link names.
func hasFile(pid int, link string) bool {
	dir, err := os.Open(procPath(pid, "fd"))
	if err != nil {
		return false
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, _ := dir.Readdirnames(-1)   // what could be read
	for _, name := range names {
		if target, err := os.Readlink(procPath(pid, "fd/"+name)); err == nil && target == link {
			return true
		}
	}
	return false
}

// socketInode finds a connection of this network namespace in /proc/net/tcp, from the side of remote; empty without one.
func socketInode(remote, port *net.TCPAddr) string {
	file, err := os.Open("/proc/self/net/tcp")
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // it was only read
	ends := hexAddress(remote) + " " + hexAddress(port) + " "
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), ends); ok {
			if f := strings.Fields(rest); len(f) > 6 { // state queues timer retransmits uid timeout inode
				return f[6]
			}
		}
	}
	return ""
}

// hexAddress writes an address as /proc/net/tcp does: the four bytes of the IP as a number of this machine.
func hexAddress(a *net.TCPAddr) string {
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(a.IP.To4()), a.Port)
}
