/* Events as JSON, one in a line of stdout, as Kafka's VerifiableConsumer prints them. */
#ifndef JSON_EVENTS_H
#define JSON_EVENTS_H

#include <kfetch.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void begin_event(const char *name)
{
    printf("{\"timestamp\":%" PRId64 ",\"name\":\"%s\"", now_ms(), name);
}

/* Why an event could not be written, or 0. */
static int output_errno;

static inline void end_event(void)
{
    fputs("}\n", stdout);
    if ((fflush(stdout) != 0 || ferror(stdout)) && output_errno == 0)
        output_errno = errno != 0 ? errno : EIO;
}

static inline void print_event(const char *name)
{
    begin_event(name);
    end_event();
}

/* Returns how many bytes a character takes; negative how many are no UTF-8. Java takes the three
 * bytes of half a surrogate pair for one error. */
static inline int character_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    int length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length == 0 || first > 0xf4)
        return -1;
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xf4 ? 0x8f : 0xbf;
    for (int i = 1; i < length; i++, low = 0x80, high = 0xbf)
        if ((size_t)i >= left || at[i] < low || at[i] > high)
            return -i;
    return first == 0xed && at[1] > 0x9f ? -length : length;
}

static inline void print_character(const unsigned char *at, int length)
{
    static const char escapes[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *escape = *at == '\0' ? NULL : strchr(escapes, *at);
    if (escape != NULL)
        printf("\\%c", letters[escape - escapes]);
    else if (*at < 0x20)
        printf("\\u%04X", *at);
    else
        fwrite(at, 1, (size_t)length, stdout);
}

static inline void print_text(const void *data, size_t size)
{
    const unsigned char *at = data;
    putchar('"');
    for (size_t left = size; left > 0;) {
        int length = character_length(at, left);
        if (length > 0)
            print_character(at, length);
        else
            fputs("\xef\xbf\xbd", stdout); /* the sign for what cannot be read */
        size_t step = (size_t)(length > 0 ? length : -length);
        at += step;
        left -= step;
    }
    putchar('"');
}

static inline void print_bytes(kfetch_bytes bytes)
{
    if (bytes.data == NULL)
        fputs("null", stdout);
    else
        print_text(bytes.data, bytes.len);
}

static inline void print_partition(const char *topic, int32_t partition)
{
    fputs("\"topic\":", stdout);
    print_text(topic, strlen(topic));
    printf(",\"partition\":%" PRId32, partition);
}

#endif
