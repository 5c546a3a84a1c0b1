package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// interfaceRequest is struct ifreq: see netdevice(7).
type interfaceRequest struct {
	name [syscall.IFNAMSIZ]byte
	data [24]byte
}

// setUpNetwork brings the loopback interface up, gives it the machine's address, and lets the machine route between its pods. There is
// no way out of it but the sockets that were opened before.
func setUpNetwork(address string) error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	up := interfaceRequest{}
	binary.NativeEndian.PutUint16(up.data[:], syscall.IFF_UP|syscall.IFF_RUNNING)
	if err := request(socket, syscall.SIOCSIFFLAGS, "lo", up); err != nil {
		return err
	}
	if ip := net.ParseIP(address).To4(); ip != nil {
		for _, step := range []struct {
			call uintptr
			ip   net.IP
		}{{syscall.SIOCSIFADDR, ip}, {syscall.SIOCSIFNETMASK, net.IPv4bcast.To4()}} {
			r := interfaceRequest{} // its data is a struct sockaddr_in
			binary.NativeEndian.PutUint16(r.data[:], syscall.AF_INET)
			copy(r.data[4:], step.ip)
			if err := request(socket, step.call, "lo:0", r); err != nil {
				return err
			}
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func request(socket int, call uintptr, name string, r interfaceRequest) error {
	copy(r.name[:], name)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), call, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return fmt.Errorf("%s: %w", name, errno)
	}
	return nil
}

// forward takes connections from a socket outside to the same port of the loopback interface inside.
func forward(socket *os.File, port string) error {
	listener, err := net.FileListener(socket)
	if err != nil {
		return err
	}
	socket.Close()
	go func() {
		for {
			outer, err := listener.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "machine init: port", port, err)
				return
			}
			go join(outer.(*net.TCPConn), net.JoinHostPort("127.0.0.1", port))
		}
	}()
	return nil
}

func join(outer *net.TCPConn, address string) {
	defer outer.Close()
	connection, err := net.Dial("tcp4", address)
	if err != nil {
		_ = outer.SetLinger(0) // a reset: the closest to a connection refused
		return
	}
	inner := connection.(*net.TCPConn)
	defer inner.Close()
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(inner, outer)
		_ = inner.CloseWrite()
		close(done)
	}()
	_, _ = io.Copy(outer, inner)
	_ = outer.CloseWrite()
	<-done
}
