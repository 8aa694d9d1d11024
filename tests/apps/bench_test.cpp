// roentgen bench: that it runs the benchmarks and compares their results. Nothing here depends on how fast
// anything is.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "tests/apps/support.h"

namespace roentgen::apps::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::filesystem::path program = ROENTGEN_PROGRAM;

class Bench : public ProgramTest {
 protected:
  // As Google Benchmark writes it: one entry per repetition, times in `unit`.
  static json entries(const std::string& row, const std::vector<double>& times, const char* unit) {
    json list = json::array();
    for (const double time : times) {
      list.push_back({{"name", row}, {"run_type", "iteration"}, {"real_time", time}, {"time_unit", unit}});
    }
    return list;
  }
  void write_results(const std::string& name, const std::vector<json>& rows, int cpus = 2) const {
    json all = json::array();
    for (const json& row : rows) all.insert(all.end(), row.begin(), row.end());
    write(name, json{{"context", {{"num_cpus", cpus}}}, {"benchmarks", all}}.dump());
  }
};

TEST_F(Bench, ComparesMediansAndMarksWhatIsBeyondNoise) {
  json mean = entries("step/cpu/float32/real_time_mean", {1}, "ms");
  mean[0]["run_type"] = "aggregate";
  write_results("old.json", {entries("step/cpu/float32/real_time", {201, 200, 199, 200, 202}, "ms"), mean,
                             entries("slower/cpu/float32/iterations:1/real_time", {1.00, 1.01, 0.99}, "us"),
                             entries("noisy/cpu/float32/real_time", {10, 14, 8}, "us"),
                             entries("close/cpu/float32/real_time", {100, 100, 100}, "ns"),
                             entries("overlap/cpu/float32/real_time", {10, 10, 10, 10, 30}, "us"),
                             entries("once/reference/float32/repeats:1/real_time", {1}, "s"),
                             entries("gone/cpu/float32/real_time", {1, 1, 1}, "ms")});
  write_results("new.json",
                {entries("close/cpu/float32/real_time", {102.9, 102.9, 102.9}, "ns"),
                 entries("step/cpu/float32/real_time", {0.1, 0.101, 0.1, 0.099, 0.1}, "s"),
                 entries("slower/cpu/float32/real_time", {1500, 1490, 1510}, "ns"),
                 entries("noisy/cpu/float32/real_time", {15, 16, 20}, "us"),
                 entries("overlap/cpu/float32/real_time", {20, 20, 20, 20, 20}, "us"),
                 entries("once/reference/float32/real_time", {3}, "s"),
                 entries("fresh/cpu/float32/real_time", {1, 1, 1}, "ms")},
                4);
  const Outcome o = run({"bench", "--compare", "old.json", "new.json"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.out,
            "row                            old         new  new/old\n"
            "step/cpu/float32            200 ms      100 ms    0.500  faster\n"
            "slower/cpu/float32            1 us      1.5 us    1.500  SLOWER\n"
            "noisy/cpu/float32            10 us       16 us    1.600\n"
            "close/cpu/float32           100 ns    102.9 ns    1.029\n"
            "overlap/cpu/float32          10 us       20 us    2.000\n"
            "once/reference/float32        1 s         3 s     3.000\n"
            "only in old: gone/cpu/float32\n"
            "only in new: fresh/cpu/float32\n"
            "6 rows compared: 1 faster, 1 slower beyond noise, 1 measured too seldom to tell\n");
  EXPECT_THAT(o.err, HasSubstr("the two differ in num_cpus: 2 and 4"));
}

TEST_F(Bench, RefusesWhatItCannotCompare) {
  write_results("good.json", {entries("step", {1}, "s")});
  write("bad.json", "{\"benchmarks\": [{\"name\": 7}]}");
  write_results("unit.json", {entries("step", {1}, "fortnights")});
  EXPECT_EQ(run({"bench", "--compare", "good.json"}).code, 2);
  EXPECT_EQ(run({"bench", "--compare", "good.json", "missing.json"}).code, 74);
  for (const char* bad : {"bad.json", "unit.json"}) {
    const Outcome o = run({"bench", "--compare", "good.json", bad});
    EXPECT_EQ(o.code, 3) << bad;
    EXPECT_THAT(o.err, HasSubstr(bad));
    EXPECT_TRUE(is_one_sentence(o.err)) << o.err;
  }
}

TEST_F(Bench, SaysHowToBuildWhatIsMissing) {
  std::filesystem::copy_file(program, path("roentgen"));
  const std::string command =
      "'" + path("roentgen").string() + "' bench 2> '" + path("message").string() + "'";
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_THAT(read("message"), HasSubstr("roentgen_bench' is missing"));
  EXPECT_THAT(read("message"), HasSubstr("-DROENTGEN_BENCH=ON"));
}

TEST_F(Bench, RunsTheRowsAskedFor) {
  if (!std::filesystem::exists(program.parent_path() / "roentgen_bench")) {
    GTEST_SKIP() << "roentgen_bench is not built";
  }
  const Outcome o =
      run({"bench", "--smoke", "--filter", "^softmax_forward/network/cpu", "--json", "out.json"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("Peaks of cpu: float32"));
  EXPECT_THAT(o.out, HasSubstr("softmax_forward/network/cpu/bfloat16"));
  EXPECT_THAT(o.out, testing::Not(HasSubstr("softmax_backward")));
  const json results = json::parse(read("out.json"));
  ASSERT_EQ(results["benchmarks"].size(), 2u);
  for (const json& row : results["benchmarks"]) {
    EXPECT_GT(row["bytes_per_second"], 0);
    EXPECT_GT(row["roofline"], 0);
    EXPECT_LT(row["nmse"], 1e-4);  // bfloat16 rounds to 2^-9, squared 4e-6
  }
  EXPECT_EQ(run({"bench", "--compare", "out.json", "out.json"}).code, 0);
  EXPECT_EQ(run({"bench", "--json", "no/such/folder.json"}).code, 74);
}

}  // namespace
}  // namespace roentgen::apps::test
