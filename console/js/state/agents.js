// The agents as they are now: read once a connection, then kept by events.
import { api } from "../api.js";
import { Observable } from "../observable.js";
import { listen, opened } from "../socket.js";

/** In the order of the server. */
export const agents = new Observable([]);

export async function refreshAgents() {
  try {
    agents.value = (await api("/agents")).agents;
  } catch {
    // The connection tells how it stands.
  }
}

function change(name, changed) {
  agents.value = agents.value.map((agent) => (agent.name === name ? { ...agent, ...changed(agent) } : agent));
}

listen(({ type, data }) => {
  if (type !== "event") return;
  if (data.eventType === "agent_status") {
    change(data.agentId, () => ({ status: data.status, current_task: data.currentTask, queue_length: data.queueLength }));
  } else if (data.eventType === "emotion_change") {
    change(data.agentId, () => ({ mood: { emotion: data.currentEmotion, intensity: data.intensity } }));
  } else if (data.eventType === "presence") {
    refreshAgents();
  }
});
opened(refreshAgents);
