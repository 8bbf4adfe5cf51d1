/* The least that a server of event streams can do: take connections, answer each with the head of an
 * event stream, and write the body of every POST to all of them with send(). No parsing beyond what
 * tells a GET from a POST, no memory per connection beyond its number.
 *
 * Sockets block on sending, so that nothing is ever lost: a reader that stops, stops everybody. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_CONNECTIONS 20000
#define MOST_REQUEST (1 << 20)

static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n";
static const char DONE[] = "HTTP/1.1 204 No Content\r\n\r\n";

static int readers[MOST_CONNECTIONS];
static int reader_count;
static char request[MOST_REQUEST + 1];

static int send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static void forget(int fd)
{
    for (int i = 0; i < reader_count; i++)
        if (readers[i] == fd) {
            readers[i] = readers[--reader_count];
            break;
        }
    close(fd);
}

static void broadcast(const char *bytes, size_t length)
{
    for (int i = 0; i < reader_count; i++)
        send_all(readers[i], bytes, length);
}

/* Reads one whole request; requests are small and come in one piece or nearly so. */
static void serve(int fd)
{
    size_t have = 0;
    for (;;) {
        ssize_t got = recv(fd, request + have, MOST_REQUEST - have, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            forget(fd);
            return;
        }
        have += (size_t)got;
        request[have] = 0;
        char *end = strstr(request, "\r\n\r\n");
        if (end == NULL)
            continue;
        if (strncmp(request, "GET ", 4) == 0) {
            if (reader_count < MOST_CONNECTIONS && send_all(fd, HEAD, sizeof HEAD - 1) == 0)
                readers[reader_count++] = fd;
            else
                close(fd);
            return;
        }
        char *body = end + 4;
        char *field = strcasestr(request, "\r\ncontent-length:");
        size_t length = field ? strtoul(field + 17, NULL, 10) : 0;
        if (have < (size_t)(body - request) + length)
            continue;
        broadcast(body, length);
        send_all(fd, DONE, sizeof DONE - 1);
        return;
    }
}

int main(int argc, char **argv)
{
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (argc != 2) {
        fprintf(stderr, "usage: floor PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) {
        perror("floor");
        return 1;
    }
    int epoll = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                serve(events[i].data.fd);
                continue;
            }
            int fd = accept(listener, NULL, NULL);
            if (fd < 0)
                continue;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            struct epoll_event reading = {.events = EPOLLIN, .data.fd = fd};
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &reading);
        }
    }
}
