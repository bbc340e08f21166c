/* Signals, descriptors and a peer that hangs up, as a host program meets them. */
#define _GNU_SOURCE
#include "check.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

/* A waiting poll comes back empty from a signal, also where system calls are restarted. */
static void check_interruption(kfetch_consumer *consumer)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    /* Repeated, since the first may come before the poll waits. */
    struct itimerval often = {{0, 50000}, {0, 50000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    kfetch_records *records = NULL;
    CHECK_OK(kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, NULL));
    CHECK(records == NULL && alarms > 0);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

static void on_wakeup(int number);
static kfetch_consumer *to_wake;

/* `wakeup` inside of a signal handler ends the poll that it interrupts. */
static void check_wakeup_in_handler(kfetch_consumer *consumer)
{
    to_wake = consumer;
    struct sigaction action = {.sa_handler = on_wakeup};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval once = {{0, 0}, {0, 50000}};
    CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
    kfetch_records *records = NULL;
    kfetch_status status = KFETCH_STATUS_OK;
    while (status == KFETCH_STATUS_OK)
        status = kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, NULL);
    CHECK_STATUS(KFETCH_STATUS_WAKEUP, status);
}

static void on_wakeup(int number)
{
    (void)number;
    kfetch_consumer_wakeup(to_wake);
}

/* Every thread but this one blocks what can be blocked. */
static void check_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    int found = 0;
    struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL) {
        char path[300], line[256];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == (int)getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        CHECK(status != NULL);
        unsigned long long blocked = 0;
        while (fgets(line, sizeof line, status) != NULL)
            sscanf(line, "SigBlk: %llx", &blocked);
        fclose(status);
        for (int number = 1; number < 32; number++)
            CHECK(number == SIGKILL || number == SIGSTOP || (blocked >> (number - 1) & 1) == 1);
        found++;
    }
    closedir(tasks);
    CHECK(found > 0);
}

enum { FDS = 256 };

/* Those that the program was started with. */
static bool inherited[FDS];

/* Every other descriptor is closed on exec. */
static void check_descriptors(void)
{
    int found = 0;
    for (int fd = 0; fd < FDS; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || inherited[fd])
            continue;
        found++;
        CHECK((flags & FD_CLOEXEC) != 0);
    }
    CHECK(found > 0);
}

/* The descriptor is readable after a wake-up and not readable after the poll that took it. */
static void check_readiness(kfetch_consumer *consumer)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, kfetch_consumer_fd(consumer), &event) == 0);
    kfetch_records *records = NULL;
    CHECK_OK(kfetch_consumer_poll(consumer, 0, &records, NULL));
    CHECK(records == NULL && epoll_wait(epoll, &event, 1, 0) == 0);
    kfetch_consumer_wakeup(consumer);
    CHECK(epoll_wait(epoll, &event, 1, 0) == 1);
    CHECK_STATUS(KFETCH_STATUS_WAKEUP, kfetch_consumer_poll(consumer, 0, &records, NULL));
    CHECK_OK(kfetch_consumer_poll(consumer, 0, &records, NULL));
    CHECK(epoll_wait(epoll, &event, 1, 0) == 0);
    close(epoll);
}

static int listener;
static int accepted;

/* Resets every connection as soon as it is there: writes to it then fail with EPIPE. */
static void *hang_up(void *unused)
{
    (void)unused;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct linger reset = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        __atomic_add_fetch(&accepted, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void check_peer_that_hangs_up(void)
{
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 8) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, hang_up, NULL) == 0);
    char servers[32];
    snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(address.sin_port));
    kfetch_consumer *consumer = new_consumer(servers);
    kfetch_topics *topics = NULL;
    while (__atomic_load_n(&accepted, __ATOMIC_SEQ_CST) < 5)
        CHECK_STATUS(KFETCH_STATUS_TIMEOUT,
                     kfetch_consumer_list_topics(consumer, 300, &topics, NULL));
    CHECK_OK(kfetch_consumer_close(consumer, 10000, NULL));
    kfetch_consumer_free(consumer);
    shutdown(listener, SHUT_RDWR);
    CHECK(pthread_join(thread, NULL) == 0);
    close(listener);
}

int main(void)
{
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    for (int fd = 0; fd < FDS; fd++)
        inherited[fd] = fcntl(fd, F_GETFD) >= 0;
    kfetch_consumer *consumer = new_consumer("127.0.0.1:1");
    check_interruption(consumer);
    check_wakeup_in_handler(consumer);
    check_readiness(consumer);
    check_threads();
    check_descriptors();
    CHECK_OK(kfetch_consumer_close(consumer, 10000, NULL));
    kfetch_consumer_free(consumer);
    check_peer_that_hangs_up();
    return 0;
}
