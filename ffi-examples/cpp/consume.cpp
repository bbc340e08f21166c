// Reads a topic to its end from C++: small classes that own the handles of the C interface, and
// exceptions for its errors.
//
//     consume_cpp orders bootstrap.servers=localhost:9092
//     consume_cpp orders bootstrap.servers=localhost:9092 group.id=billing
//
// With a group it reads what the group assigns to it, and commits what it has written.
//
// A record's key and value are string_views into the memory that the network or a file filled;
// they are valid as long as the Records that they came from.
#include <kfetch.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Error : std::runtime_error {
    Error(kfetch_status code, const std::string &text) : std::runtime_error(text), status(code) {}
    kfetch_status status;
};

// Calls a function that takes a `kfetch_error **` last, and throws what it says.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments)
{
    kfetch_error *error = nullptr;
    const kfetch_status status = function(arguments..., &error);
    if (status == KFETCH_STATUS_OK)
        return;
    const std::unique_ptr<kfetch_error, decltype(&kfetch_error_free)> owner(error,
                                                                            kfetch_error_free);
    throw Error(status, kfetch_error_message(error));
}

class Config {
public:
    void set(const std::string &name, const std::string &value)
    {
        call(kfetch_config_set, handle_.get(), name.c_str(), value.c_str());
    }
    bool has(const std::string &name) const
    {
        std::size_t length = 0;
        kfetch_config_get(handle_.get(), name.c_str(), nullptr, 0, &length, nullptr);
        return length > 0;
    }
    const kfetch_config *get() const { return handle_.get(); }

private:
    std::unique_ptr<kfetch_config, decltype(&kfetch_config_free)> handle_{kfetch_config_new(),
                                                                          kfetch_config_free};
};

std::optional<std::string_view> view(kfetch_bytes bytes)
{
    if (bytes.data == nullptr)
        return std::nullopt;
    return std::string_view(reinterpret_cast<const char *>(bytes.data), bytes.len);
}

// What one poll returned; a copy is another owner of the same handle.
class Records {
public:
    explicit Records(kfetch_records *handle) : handle_(handle, kfetch_records_free) {}

    const kfetch_records *get() const { return handle_.get(); }
    std::size_t size() const { return kfetch_records_count(handle_.get()); }

    // Calls `take(run, record)` for each record; they come out of the handle in bulk.
    template <typename Take>
    void for_each(Take take) const
    {
        std::size_t count = 0;
        const kfetch_run *runs = kfetch_records_runs(handle_.get(), nullptr);
        std::vector<kfetch_record> batch(256);
        for (std::size_t at = 0; at < size(); at += count) {
            const kfetch_status status =
                kfetch_records_fill(handle_.get(), at, batch.data(), batch.size(),
                                    sizeof(kfetch_record), &count);
            if (status != KFETCH_STATUS_OK)
                throw Error(status, "fill");
            for (std::size_t i = 0; i < count; i++)
                take(runs[batch[i].run], batch[i]);
        }
    }

    template <typename Take>
    void for_each_event(Take take) const
    {
        std::size_t count = 0;
        const kfetch_event *events = kfetch_records_events(handle_.get(), &count);
        for (std::size_t i = 0; i < count; i++)
            take(events[i]);
    }

private:
    std::shared_ptr<kfetch_records> handle_;
};

class Consumer {
public:
    using Rebalance = std::function<void(kfetch_rebalance_event, std::size_t count)>;

    explicit Consumer(const Config &config)
    {
        kfetch_consumer *consumer = nullptr;
        call(kfetch_consumer_new, config.get(), &consumer);
        handle_.reset(consumer);
    }
    // The callback knows where this is.
    Consumer(const Consumer &) = delete;
    Consumer &operator=(const Consumer &) = delete;

    std::vector<std::int32_t> partitions_for(const std::string &topic)
    {
        kfetch_topics *topics = nullptr;
        call(kfetch_consumer_partitions_for, handle_.get(), topic.c_str(), KFETCH_TIMEOUT_NONE,
             &topics);
        const std::unique_ptr<kfetch_topics, decltype(&kfetch_topics_free)> owner(
            topics, kfetch_topics_free);
        const kfetch_topic *found = kfetch_topics_items(topics, nullptr);
        std::vector<std::int32_t> partitions;
        for (std::size_t i = 0; i < found->partition_count; i++)
            partitions.push_back(found->partitions[i].partition);
        return partitions;
    }

    void assign(const std::string &topic, const std::vector<std::int32_t> &partitions)
    {
        std::vector<kfetch_topic_partition> names;
        for (const std::int32_t partition : partitions)
            names.push_back({topic.c_str(), partition});
        call(kfetch_consumer_assign, handle_.get(), names.data(), names.size());
    }

    // Joins the group; `rebalance` is called inside of poll and close.
    void subscribe(const std::string &topic, Rebalance rebalance)
    {
        rebalance_ = std::move(rebalance);
        call(kfetch_consumer_set_rebalance_callback, handle_.get(), rebalanced,
             static_cast<void *>(this));
        const char *name = topic.c_str();
        call(kfetch_consumer_subscribe, handle_.get(), &name, std::size_t{1});
    }

    void commit(const Records &records)
    {
        call(kfetch_consumer_commit_records, handle_.get(), records.get(), KFETCH_TIMEOUT_NONE);
    }

    // Nothing after the time has passed or a signal handler ran.
    std::optional<Records> poll(std::uint32_t timeout_ms)
    {
        kfetch_records *records = nullptr;
        call(kfetch_consumer_poll, handle_.get(), timeout_ms, &records);
        const auto found = records == nullptr ? std::nullopt : std::optional(Records(records));
        rethrow();
        return found;
    }

    void close()
    {
        call(kfetch_consumer_close, handle_.get(), 5000U);
        rethrow();
    }

private:
    // An exception must not pass through the library: it is kept until the call is back.
    static void rebalanced(kfetch_consumer *, kfetch_rebalance_event event,
                           const kfetch_topic_partition *, std::size_t count,
                           void *opaque) noexcept
    {
        Consumer &consumer = *static_cast<Consumer *>(opaque);
        try {
            consumer.rebalance_(event, count);
        } catch (...) {
            consumer.thrown_ = std::current_exception();
        }
    }

    void rethrow()
    {
        if (thrown_)
            std::rethrow_exception(std::exchange(thrown_, nullptr));
    }

    Rebalance rebalance_;
    std::exception_ptr thrown_;
    std::unique_ptr<kfetch_consumer, decltype(&kfetch_consumer_free)> handle_{
        nullptr, kfetch_consumer_free};
};

void consume(const std::string &topic, const Config &config)
{
    Consumer consumer(config);
    const bool is_member = config.has("group.id");
    std::size_t owned = 0, ended = 0;
    if (is_member) {
        consumer.subscribe(topic, [&owned](kfetch_rebalance_event event, std::size_t count) {
            owned = event == KFETCH_REBALANCE_EVENT_ASSIGNED ? owned + count : owned - count;
        });
    } else {
        const std::vector<std::int32_t> partitions = consumer.partitions_for(topic);
        consumer.assign(topic, partitions);
        owned = partitions.size();
    }
    while (owned == 0 || ended < owned) {
        const std::optional<Records> records = consumer.poll(KFETCH_TIMEOUT_NONE);
        if (!records)
            continue;
        records->for_each([](const kfetch_run &run, const kfetch_record &record) {
            std::cout << run.topic << '-' << run.partition << " @" << record.offset << ' '
                      << view(record.key).value_or("NULL") << ' '
                      << view(record.value).value_or("NULL") << '\n';
        });
        records->for_each_event([&ended](const kfetch_event &event) {
            if (event.kind == KFETCH_EVENT_KIND_FAILED && event.is_sticky)
                throw Error(event.status, event.text);
            ended += event.kind == KFETCH_EVENT_KIND_END ? 1 : 0;
        });
        if (is_member)
            consumer.commit(*records);
    }
    consumer.close();
}

} // namespace

int main(int argc, char **argv)
{
    try {
        if (argc < 2)
            throw std::runtime_error("usage: consume_cpp TOPIC name=value...");
        Config config;
        config.set("auto.offset.reset", "earliest");
        config.set("enable.partition.eof", "true");
        config.set("enable.auto.commit", "false");
        for (int i = 2; i < argc; i++) {
            const std::string argument = argv[i];
            const std::size_t equals = argument.find('=');
            if (equals == std::string::npos)
                throw std::runtime_error("'" + argument + "' is not name=value");
            config.set(argument.substr(0, equals), argument.substr(equals + 1));
        }
        consume(argv[1], config);
        return 0;
    } catch (const Error &error) {
        std::cerr << "consume_cpp: " << error.what() << " (" << kfetch_status_name(error.status)
                  << ")\n";
    } catch (const std::exception &error) {
        std::cerr << "consume_cpp: " << error.what() << '\n';
    }
    return 1;
}
