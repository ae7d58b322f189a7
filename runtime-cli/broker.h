#pragma once
#include <cstdint>
#include <map>

#include "hal/trap_x86_64/broker_protocol.h"
#include "images/file.h"

namespace zrun {

using images::UniqueFd;

// Opens host files for the container's volumes, beneath the directories that the user named and
// nowhere else: every name is a single component resolved by openat2 under a node that the broker
// gave out before. It trusts nothing that it is sent.
class Broker {
 public:
  // Both ends of the socket; the container's is handed in.
  Broker();
  int container_end() const { return container_end_.get(); }
  int supervisor_end() const { return supervisor_end_.get(); }
  void CloseContainerEnd() { container_end_ = UniqueFd(); }

  // The node of a volume's root. |root| is an O_PATH descriptor.
  uint32_t AddRoot(UniqueFd root, bool read_only);
  // Answers what is waiting at supervisor_end().
  void Serve();

 private:
  struct Node {
    UniqueFd fd;
    bool read_only;
  };
  Node& Find(uint32_t node);
  Node& FindWritable(uint32_t node);
  uint32_t Add(UniqueFd fd, bool read_only);
  // Carries out |request|; the descriptor to hand in, or -1. Throws an errno.
  int Perform(const hal::BrokerRequest& request, const std::string& text, hal::BrokerReply& reply);
  int GiveOut(UniqueFd fd, bool read_only, hal::BrokerReply& reply);
  void SetAttributes(Node& node, const hal::BrokerRequest& request);

  UniqueFd supervisor_end_, container_end_;
  UniqueFd changes_;  // inotify's, which the container reads
  std::map<uint32_t, Node> nodes_;
  uint32_t next_node_ = 1;
};

}  // namespace zrun
