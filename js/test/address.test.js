import { expect, test } from "vitest";
import { secureAddress } from "../src/address.js";

const at = (/** @type {string} */ url) => secureAddress(new URL(url));
const ANYWHERE = "Open the notebook at http://localhost or by https.";

test.each([
  [
    "http://lab.example.com:8888/lab",
    "ssh -L 8888:localhost:8888 lab.example.com in",
    "http://localhost:8888/lab in",
  ],
  [
    "http://192.168.1.5:8888/lab/tree/a%20b.ipynb?token=abc#x",
    "ssh -L 8888:localhost:8888 192.168.1.5 in",
    "http://localhost:8888/lab/tree/a%20b.ipynb in",
  ],
  ["http://hub/user/me/lab", "ssh -L 8080:localhost:80 hub in", "http://localhost:8080/user/me/lab in"],
  ["http://hub:443/lab", "ssh -L 8080:localhost:443 hub in", "http://localhost:8080/lab in"],
  [
    "http://my_box.local:9999/tree",
    "ssh -L 9999:localhost:9999 my_box.local in",
    "http://localhost:9999/tree in",
  ],
  ["http://[fe80::1]:8888/lab", "ssh -L 8888:localhost:8888 fe80::1 in", "http://localhost:8888/lab in"],
])("%s: by https, or with its port forwarded", (url, command, address) => {
  expect(at(url)).toContain("https");
  expect(at(url)).toContain(command);
  expect(at(url)).toContain(address);
  expect(at(url)).not.toContain("token");
});

test.each([
  ["http://0.0.0.0:8888/lab?token=abc", "http://localhost:8888/lab "],
  ["http://0.0.0.0/lab", "http://localhost/lab "],
  ["http://[::]:8888/lab", "http://localhost:8888/lab "],
])("%s: the same server has a name", (url, address) => {
  expect(at(url)).toContain(address);
  expect(at(url)).not.toContain("ssh");
  expect(at(url)).not.toContain("token");
});

test.each([
  "https://hub.example.com/lab",
  "http://localhost:8888/lab",
  "http://me.localhost:8888/lab",
  "http://127.0.0.1:8888/lab",
  "http://127.1.2.3/lab",
  "http://[::1]:8888/lab",
])("%s: the address is good, so it is the frame or the browser", (url) => {
  expect(at(url)).toContain("a window of its own");
  expect(at(url)).not.toContain("ssh");
});

test.each([
  "file:///home/me/a.html",
  "vscode-webview://1b2c/index.html",
  "about:srcdoc",
  "data:text/html,x",
  "http://$(reboot);x:8888/lab",
  "http://a&b/lab",
  "http://-oproxycommand=x/lab",
])("%s: general words", (url) => {
  expect(at(url)).toBe(ANYWHERE);
});

test("no location at all: general words", () => {
  expect(secureAddress(undefined)).toBe(ANYWHERE);
});
