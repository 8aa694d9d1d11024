#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "kernels/cuda/plan_cache.h"

namespace roentgen::kernels {
namespace {

namespace fs = std::filesystem;

class PlanCacheTest : public ::testing::Test {
 protected:
  PlanCacheTest()
      : folder_(fs::temp_directory_path() /
                ("roentgen-plan-cache-" + std::to_string(getpid()) + "-" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::create_directories(folder_);
  }
  ~PlanCacheTest() override {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  fs::path file() const { return folder_ / "deeper" / "plans.json"; }
  std::string text() const {
    std::ifstream in(file(), std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  void overwrite(const std::string& text) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << text;
  }
  const fs::path folder_;
};

const std::string key = "NVIDIA H200 | cuDNN 91900 | conv2d forward";
const std::string plan = R"({"engineId":62,"text":"with \"quotes\" and
a line"})";

TEST_F(PlanCacheTest, OutlivesTheProcess) {
  {
    PlanCache cache(file());
    EXPECT_FALSE(cache.find(key));
    EXPECT_TRUE(cache.store(key, plan));
    EXPECT_EQ(cache.find(key), plan);
  }
  PlanCache again(file());
  EXPECT_EQ(again.find(key), plan);
  EXPECT_FALSE(again.find(key + " deterministic"));
  EXPECT_TRUE(again.store(key, "other"));
  EXPECT_EQ(PlanCache(file()).find(key), "other");
}

TEST_F(PlanCacheTest, WithoutFileItRemembersForItself) {
  PlanCache cache{fs::path()};
  EXPECT_TRUE(cache.store(key, plan));
  EXPECT_EQ(cache.find(key), plan);
}

TEST_F(PlanCacheTest, KeepsWhatOthersStoredMeanwhile) {
  PlanCache one(file()), other(file());
  EXPECT_TRUE(one.store("a", "1"));
  EXPECT_TRUE(other.store("b", "2"));
  PlanCache both(file());
  EXPECT_EQ(both.find("a"), "1");
  EXPECT_EQ(both.find("b"), "2");
}

TEST_F(PlanCacheTest, EveryDamageIsIgnoredAndMended) {
  ASSERT_TRUE(PlanCache(file()).store(key, plan));
  const std::string whole = text();
  std::vector<std::string> damaged = {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "{\"format\": 1}",
                                      "{\"format\": 1, \"plans\": 3}",
                                      "{\"format\": 1, \"plans\": {\"a\": \"b\"}}",
                                      "{\"format\": \"x\", \"plans\": {}}",
                                      std::string(1000, '\0'),
                                      whole + whole};
  for (std::size_t length = 0; length + 1 < whole.size(); length += 7)
    damaged.push_back(whole.substr(0, length));
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    damaged.push_back(whole);
    damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ 4);
  }
  for (const std::string& text : damaged) {
    overwrite(text);
    const PlanCache cache(file());
    // A flipped bit between the values leaves them as they were.
    const auto found = cache.find(key);
    EXPECT_TRUE(!found || found == plan) << *found;
  }
  overwrite(whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(PlanCache(file()).find(key));
  EXPECT_TRUE(PlanCache(file()).store(key, plan));
  EXPECT_EQ(PlanCache(file()).find(key), plan);
}

TEST_F(PlanCacheTest, AFolderThatCannotBeWrittenCostsNothingElse) {
  std::ofstream(folder_ / "deeper") << "a file where the folder should be";
  PlanCache cache(file());
  EXPECT_FALSE(cache.store(key, plan));
  EXPECT_EQ(cache.find(key), plan);
}

TEST_F(PlanCacheTest, LeavesNoTemporaryFiles) {
  PlanCache one(file()), other(file());
  std::vector<std::thread> threads;
  for (PlanCache* cache : {&one, &other, &one, &other})
    threads.emplace_back([cache, n = threads.size()] {
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(cache->store(std::to_string(n), plan));
    });
  for (std::thread& thread : threads) thread.join();
  const auto entries = std::distance(fs::directory_iterator(file().parent_path()), fs::directory_iterator());
  EXPECT_EQ(entries, 1);
  EXPECT_EQ(PlanCache(file()).find("0"), plan);
}

TEST_F(PlanCacheTest, BytesThatAreNoTextDoNotHurt) {
  PlanCache cache(file());
  EXPECT_TRUE(cache.store("binary", "\xFF\xFE\x80"));
  EXPECT_TRUE(cache.store(key, plan));
  EXPECT_EQ(PlanCache(file()).find(key), plan);
}

TEST_F(PlanCacheTest, FollowsTheEnvironment) {
  struct Variable {
    const char* name;
    std::optional<std::string> kept;
    explicit Variable(const char* n) : name(n) {
      if (const char* value = std::getenv(n)) kept = value;
      unsetenv(n);
    }
    ~Variable() { kept ? setenv(name, kept->c_str(), 1) : unsetenv(name); }
  } own("ROENTGEN_CACHE_DIR"), cache("XDG_CACHE_HOME"), home("HOME");
  EXPECT_EQ(PlanCache::default_file(), fs::path());
  setenv("HOME", "/h", 1);
  EXPECT_EQ(PlanCache::default_file(), "/h/.cache/roentgen/plans.json");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(PlanCache::default_file(), "/x/roentgen/plans.json");
  setenv("ROENTGEN_CACHE_DIR", "/r", 1);
  EXPECT_EQ(PlanCache::default_file(), "/r/plans.json");
}

}  // namespace
}  // namespace roentgen::kernels

#endif
