/**
 * Numbers of the Linux ABI that Sluice uses. All of these are the same on x86-64 and
 * arm64 (asm-generic); the one layout that differs, `struct epoll_event`, is handled
 * in linux.ts.
 */

export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EEXIST = 17;
export const ENOTDIR = 20;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const EROFS = 30;
export const EPIPE = 32;
export const EIO = 5;
export const EPROTO = 71;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENONET = 64;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EHOSTDOWN = 112;
export const EHOSTUNREACH = 113;
export const EINPROGRESS = 115;
export const EAFNOSUPPORT = 97;

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
/** Whether it listens. */
export const SO_ACCEPTCONN = 30;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SO_ATTACH_REUSEPORT_CBPF = 51;
export const SO_RCVLOWAT = 18;
/** As SO_RCVBUF, beyond `net.core.rmem_max`: for those who have the right. */
export const SO_RCVBUFFORCE = 33;
/** What is received says when it came, by CLOCK_REALTIME: a struct timespec of the type SCM_TIMESTAMPNS, which is the same number. */
export const SO_TIMESTAMPNS = 35;
export const SO_MEMINFO = 55;

export const IPPROTO_IP = 0;
/** The port is chosen at connect(), when the whole four-tuple is known, and not at bind(). */
export const IP_BIND_ADDRESS_NO_PORT = 24;

export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_MAXSEG = 2;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_INFO = 11;
/** 0 before a connect: its last acknowledgement waits for the first bytes, which carry it. */
export const TCP_QUICKACK = 12;
/** A state that TCP_INFO tells. */
export const TCP_SYN_SENT = 2;
export const TCP_USER_TIMEOUT = 18;
export const TCP_NOTSENT_LOWAT = 25;

export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;

export const SOCK_DGRAM = 2;
export const IPPROTO_UDP = 17;
/** A send is cut into datagrams of this length; and what is received together says how long each is. */
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
/** Receive: where it was sent to. Send: from where. */
export const IP_PKTINFO = 8;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IP_TOS = 1;
export const IP_RECVTOS = 13;
export const IPV6_RECVTCLASS = 66;
export const IPV6_TCLASS = 67;
export const IP_MTU_DISCOVER = 10;
export const IPV6_MTU_DISCOVER = 23;
/** The kernel finds a path's size, and cuts into fragments what is longer; and: it never cuts, and believes nobody. */
export const PMTUDISC_WANT = 1;
export const PMTUDISC_PROBE = 3;
/** How many datagrams found no room in a socket's buffer. */
export const SO_RXQ_OVFL = 40;

export const MSG_PEEK = 0x2;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;

export const SHUT_RD = 0;
export const SHUT_WR = 1;

/** ioctl: bytes in the send queue, tcp(7) and unix(7). */
export const SIOCOUTQ = 0x5411;

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
/** Something can be read. */
export const EPOLLIN = 0x001;
/** Urgent data has come: a read stops short of it, although more may wait behind. */
export const EPOLLPRI = 0x002;
/** Something can be written. */
export const EPOLLOUT = 0x004;
/** The socket has an error; reading returns it. */
export const EPOLLERR = 0x008;
/** Both directions have ended. */
export const EPOLLHUP = 0x010;
/** The peer has ended its direction. */
export const EPOLLRDHUP = 0x2000;
/** Report a change once, instead of a state for as long as it lasts. */
export const EPOLLET = 1 << 31;

/** Of several who watch one socket, not all are woken. Such a watch can be added and removed, and not modified. */
export const EPOLLEXCLUSIVE = 1 << 28;

export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;

export const F_GETFD = 1;
export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;

export const RLIMIT_NOFILE = 7;

const ERROR_NAMES = new Map<number, string>([
	[EPERM, "EPERM"],
	[ENOENT, "ENOENT"],
	[EINTR, "EINTR"],
	[EAGAIN, "EAGAIN"],
	[ENOMEM, "ENOMEM"],
	[EACCES, "EACCES"],
	[ENOTDIR, "ENOTDIR"],
	[EINVAL, "EINVAL"],
	[ENFILE, "ENFILE"],
	[EMFILE, "EMFILE"],
	[EROFS, "EROFS"],
	[EPIPE, "EPIPE"],
	[EPROTO, "EPROTO"],
	[EIO, "EIO"],
	[EMSGSIZE, "EMSGSIZE"],
	[EADDRINUSE, "EADDRINUSE"],
	[EADDRNOTAVAIL, "EADDRNOTAVAIL"],
	[ENETUNREACH, "ENETUNREACH"],
	[ECONNABORTED, "ECONNABORTED"],
	[ECONNRESET, "ECONNRESET"],
	[ENOBUFS, "ENOBUFS"],
	[ETIMEDOUT, "ETIMEDOUT"],
	[ECONNREFUSED, "ECONNREFUSED"],
	[EHOSTUNREACH, "EHOSTUNREACH"],
	[EINPROGRESS, "EINPROGRESS"],
	[EAFNOSUPPORT, "EAFNOSUPPORT"],
]);

/** `ECONNREFUSED` for 111; `errno 999` for a number without a name here. */
export function errorName(errno: number): string {
	return ERROR_NAMES.get(errno) ?? `errno ${errno}`;
}
