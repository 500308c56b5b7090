// Which page is shown. It stands behind the `#` of the address, so that a link can be shared and needs no route of the server.
import { Observable } from "./observable.js";

function read() {
  const [page = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  return { page: page || "overview", id: rest.length ? decodeURIComponent(rest.join("/")) : "" };
}

export const route = new Observable(read());

addEventListener("hashchange", () => {
  route.value = read();
});

export function link(page, id = "") {
  return `#/${page}${id ? `/${encodeURIComponent(id)}` : ""}`;
}

export function go(page, id) {
  location.hash = link(page, id);
}
