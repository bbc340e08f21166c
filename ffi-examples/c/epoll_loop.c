/*
 * A consumer inside of a program's own event loop: the loop waits in epoll for the consumer's
 * descriptor, for SIGINT and SIGTERM, and for a timer, and never blocks elsewhere.
 *
 *     epoll_loop -t orders [-c RECORDS] bootstrap.servers=localhost:9092
 *
 * Every second, and in the end, it writes how many records have come. It ends with a signal, or
 * when -c records have come. Only partition 0 is read, from its beginning.
 */
#include <kfetch.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct loop {
    kfetch_consumer *consumer;
    int epoll;
    int signals;
    int timer;
    uint64_t records;
    uint64_t wanted;
};

/* Tells what went wrong, frees the error, and returns whether something did. */
static bool failed(const char *what, kfetch_status status, kfetch_error **error)
{
    if (status == KFETCH_STATUS_OK)
        return false;
    fprintf(stderr, "epoll_loop: %s: %s (%s)\n", what, kfetch_error_message(*error),
            kfetch_status_name(status));
    kfetch_error_free(*error);
    *error = NULL;
    return true;
}

static bool watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Opens what the loop waits for. The consumer's own threads take no signals: they come here. */
static bool open_loop(struct loop *loop)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct itimerspec second = {{1, 0}, {1, 0}};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->signals = signalfd(-1, &set, SFD_CLOEXEC);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    bool ok = timerfd_settime(loop->timer, 0, &second, NULL) == 0 &&
              watch(loop->epoll, loop->signals) && watch(loop->epoll, loop->timer) &&
              watch(loop->epoll, kfetch_consumer_fd(loop->consumer));
    if (!ok)
        perror("epoll_loop");
    return ok;
}

/*
 * Takes all that is there. The rule of the descriptor: poll until nothing comes before the next
 * wait, for it says that something is there once. It is never read here.
 */
static bool take_all(struct loop *loop)
{
    for (;;) {
        kfetch_records *records = NULL;
        kfetch_error *error = NULL;
        if (failed("poll", kfetch_consumer_poll(loop->consumer, 0, &records, &error), &error))
            return false;
        if (records == NULL)
            return true;
        loop->records += kfetch_records_count(records);
        size_t count;
        const kfetch_event *events = kfetch_records_events(records, &count);
        bool ok = true;
        for (size_t i = 0; i < count; i++) {
            fprintf(stderr, "epoll_loop: %s\n", events[i].text);
            ok &= events[i].kind != KFETCH_EVENT_KIND_FAILED || !events[i].is_sticky;
        }
        kfetch_records_free(records);
        if (!ok)
            return false;
    }
}

static bool run(struct loop *loop)
{
    /* Before the first wait too: only a poll that found nothing makes the descriptor speak. */
    bool ok = take_all(loop);
    while (ok && (loop->wanted == 0 || loop->records < loop->wanted)) {
        struct epoll_event event;
        if (epoll_wait(loop->epoll, &event, 1, -1) <= 0)
            continue;
        if (event.data.fd == loop->signals)
            break;
        if (event.data.fd == loop->timer) {
            uint64_t ticks;
            ok = read(loop->timer, &ticks, sizeof ticks) == (ssize_t)sizeof ticks;
            printf("%" PRIu64 " records\n", loop->records);
        } else {
            ok = take_all(loop);
        }
    }
    printf("%" PRIu64 " records in the end\n", loop->records);
    return ok;
}

static bool set_property(kfetch_config *config, const char *argument)
{
    const char *equals = strchr(argument, '=');
    char name[128] = "";
    if (equals != NULL && (size_t)(equals - argument) < sizeof name)
        memcpy(name, argument, (size_t)(equals - argument));
    kfetch_error *error = NULL;
    const char *value = equals == NULL ? "" : equals + 1;
    return !failed(argument, kfetch_config_set(config, name, value, &error), &error);
}

int main(int argc, char **argv)
{
    struct loop loop = {.epoll = -1, .signals = -1, .timer = -1};
    kfetch_topic_partition partition = {NULL, 0};
    int64_t beginning = KFETCH_OFFSET_BEGINNING;
    kfetch_error *error = NULL;
    kfetch_config *config = kfetch_config_new();
    bool ok = true;
    for (int i = 1; i < argc && ok; i++) {
        if (strcmp(argv[i], "-t") == 0 && i + 1 < argc)
            partition.topic = argv[++i];
        else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
            loop.wanted = strtoull(argv[++i], NULL, 10);
        else
            ok = set_property(config, argv[i]);
    }
    if (ok && partition.topic == NULL) {
        fputs("usage: epoll_loop -t TOPIC [-c RECORDS] name=value...\n", stderr);
        ok = false;
    }
    ok = ok && !failed("consumer", kfetch_consumer_new(config, &loop.consumer, &error), &error);
    kfetch_config_free(config);
    ok = ok && open_loop(&loop);
    if (ok) {
        kfetch_status status =
            kfetch_consumer_assign_at(loop.consumer, &partition, &beginning, 1, &error);
        ok = !failed("assign", status, &error) && run(&loop);
    }
    if (loop.consumer != NULL &&
        failed("close", kfetch_consumer_close(loop.consumer, 5000, &error), &error))
        ok = false;
    close(loop.epoll);
    close(loop.signals);
    close(loop.timer);
    kfetch_consumer_free(loop.consumer); /* the descriptor in the epoll was its own */
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
