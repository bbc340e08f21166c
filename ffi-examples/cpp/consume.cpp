// Reads a topic to its end from C++: small classes that own the handles of the C interface, and
// exceptions for its errors.
//
//     consume_cpp orders bootstrap.servers=localhost:9092
//
// A record's key and value are string_views into the memory that the network or a file filled;
// they are valid as long as the Records that they came from.
#include <kfetch.h>

#include <cstdint>
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
    explicit Consumer(const Config &config)
    {
        kfetch_consumer *consumer = nullptr;
        call(kfetch_consumer_new, config.get(), &consumer);
        handle_.reset(consumer);
    }

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

    // Nothing after the time has passed or a signal handler ran.
    std::optional<Records> poll(std::uint32_t timeout_ms)
    {
        kfetch_records *records = nullptr;
        call(kfetch_consumer_poll, handle_.get(), timeout_ms, &records);
        return records == nullptr ? std::nullopt : std::optional<Records>(Records(records));
    }

    void close() { call(kfetch_consumer_close, handle_.get(), 5000U); }

private:
    std::unique_ptr<kfetch_consumer, decltype(&kfetch_consumer_free)> handle_{
        nullptr, kfetch_consumer_free};
};

void consume(const std::string &topic, const Config &config)
{
    Consumer consumer(config);
    const std::vector<std::int32_t> partitions = consumer.partitions_for(topic);
    consumer.assign(topic, partitions);
    std::size_t ended = 0;
    while (ended < partitions.size()) {
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
