/* A fork's child: its parent's handles refuse, nothing shared is freed, and it can make its own. */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static int in_child(kfetch_consumer *consumer, kfetch_engine *engine, kfetch_config *config)
{
    kfetch_records *records = NULL;
    kfetch_error *error = NULL;
    kfetch_consumer *own = NULL;
    kfetch_topic_partition one = {"t", 0};
    const kfetch_status forked = KFETCH_STATUS_FORKED;
    CHECK_STATUS(forked, kfetch_consumer_poll(consumer, 1000, &records, &error));
    CHECK(kfetch_error_status(error) == forked);
    kfetch_error_free(error);
    CHECK_STATUS(forked, kfetch_consumer_assign(consumer, &one, 1, NULL));
    CHECK_STATUS(forked, kfetch_consumer_close(consumer, 1000, NULL));
    CHECK_STATUS(forked, kfetch_consumer_new_with_engine(engine, config, &own, NULL));
    CHECK(kfetch_consumer_fd(consumer) == -1);
    kfetch_consumer_wakeup(consumer);
    kfetch_consumer_free(consumer);
    kfetch_engine_free(engine);

    own = new_consumer("127.0.0.1:1");
    CHECK_OK(kfetch_consumer_poll(own, 0, &records, NULL));
    /* The child's own handles do not revive the parent's. */
    CHECK_STATUS(forked, kfetch_consumer_poll(consumer, 0, &records, NULL));
    CHECK_OK(kfetch_consumer_close(own, 10000, NULL));
    kfetch_consumer_free(own);
    return 0;
}

int main(void)
{
    kfetch_consumer *consumer = new_consumer("127.0.0.1:1");
    kfetch_config *config = new_config("127.0.0.1:1");
    kfetch_engine *engine = NULL;
    CHECK_OK(kfetch_engine_new(NULL, &engine, NULL));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(in_child(consumer, engine, config));
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The parent's go on: the child's wake-up did not reach them. */
    kfetch_records *records = NULL;
    CHECK_OK(kfetch_consumer_poll(consumer, 0, &records, NULL));
    CHECK(records == NULL);
    kfetch_engine_free(engine);
    kfetch_config_free(config);
    CHECK_OK(kfetch_consumer_close(consumer, 10000, NULL));
    kfetch_consumer_free(consumer);
    return 0;
}
