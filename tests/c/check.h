/* What the C tests share: a check that names its line, and a few calls that must succeed. */
#ifndef CHECK_H
#define CHECK_H

#include <kfetch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);            \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

#define CHECK_STATUS(wanted, call)                                                               \
    do {                                                                                         \
        kfetch_status found_ = (call);                                                           \
        if (found_ != (wanted)) {                                                                \
            fprintf(stderr, "%s:%d: %s is %s, not %s\n", __FILE__, __LINE__, #call,              \
                    kfetch_status_name(found_), kfetch_status_name(wanted));                     \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(KFETCH_STATUS_OK, call)

static inline kfetch_config *new_config(const char *servers)
{
    kfetch_config *config = kfetch_config_new();
    CHECK_OK(kfetch_config_set(config, "bootstrap.servers", servers, NULL));
    CHECK_OK(kfetch_config_set(config, "auto.offset.reset", "earliest", NULL));
    CHECK_OK(kfetch_config_set(config, "enable.partition.eof", "true", NULL));
    return config;
}

static inline kfetch_consumer *new_consumer(const char *servers)
{
    kfetch_config *config = new_config(servers);
    kfetch_consumer *consumer = NULL;
    CHECK_OK(kfetch_consumer_new(config, &consumer, NULL));
    kfetch_config_free(config);
    CHECK(consumer != NULL);
    return consumer;
}

#endif
