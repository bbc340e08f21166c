/* A second call at the same time, wake-up, and close under a running poll. */
#include "check.h"

#include <pthread.h>
#include <sched.h>

static kfetch_consumer *consumer;

/* Polls for ever; the status is the thread's result. */
static void *poll_forever(void *unused)
{
    (void)unused;
    kfetch_records *records = NULL;
    kfetch_status status = KFETCH_STATUS_OK;
    while (status == KFETCH_STATUS_OK) {
        status = kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, NULL);
        if (status == KFETCH_STATUS_OK)
            kfetch_records_free(records);
    }
    return (void *)(intptr_t)status;
}

/* Returns when the other thread is inside of its poll. */
static void wait_until_busy(void)
{
    int64_t lag;
    kfetch_topic_partition one = {"t", 0};
    kfetch_status status;
    while ((status = kfetch_consumer_lag(consumer, &one, 1, &lag, NULL)) == KFETCH_STATUS_OK)
        sched_yield();
    CHECK_STATUS(KFETCH_STATUS_CONCURRENT, status);
}

static kfetch_status result_of(pthread_t thread)
{
    void *result = NULL;
    CHECK(pthread_join(thread, &result) == 0);
    return (kfetch_status)(intptr_t)result;
}

int main(void)
{
    consumer = new_consumer("127.0.0.1:1");
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, poll_forever, NULL) == 0);
    wait_until_busy();
    kfetch_records *records = NULL;
    CHECK_STATUS(KFETCH_STATUS_CONCURRENT, kfetch_consumer_poll(consumer, 0, &records, NULL));
    kfetch_consumer_free(consumer); /* does nothing while a call is inside */
    kfetch_consumer_wakeup(consumer);
    CHECK_STATUS(KFETCH_STATUS_WAKEUP, result_of(thread));

    kfetch_consumer_wakeup(consumer); /* before the poll that it ends */
    CHECK_STATUS(KFETCH_STATUS_WAKEUP,
                 kfetch_consumer_poll(consumer, KFETCH_TIMEOUT_NONE, &records, NULL));

    CHECK(pthread_create(&thread, NULL, poll_forever, NULL) == 0);
    wait_until_busy();
    CHECK_OK(kfetch_consumer_close(consumer, 10000, NULL));
    CHECK_STATUS(KFETCH_STATUS_CLOSED, result_of(thread));
    kfetch_consumer_free(consumer);
    return 0;
}
