import type { ConnectionState } from "@tocsin/react";
import { describe, expect, it } from "vitest";
import {
  connectionOf,
  isHeard,
  isOverdue,
  isStale,
  PATIENCE_MS,
  SOUNDS_AFTER_MS,
} from "../../src/app/connection-alarm.ts";
import { commandOf } from "../../src/app/keys.ts";
import { titleOf } from "../../src/app/title.ts";
import { de } from "../../src/strings/de.ts";
import { en } from "../../src/strings/en.ts";
import { alert } from "../alarms/alert.ts";

describe("the connection", () => {
  const live: ConnectionState = { phase: "live", since: 1000 };
  const lost: ConnectionState = { phase: "lost", since: 5000, reason: "ended", retryAt: 9000 };
  const stopped: ConnectionState = { phase: "stopped", since: 5000, reason: "not_signed_in", status: 401 };

  it("is live, and what it shows is new", () => {
    const connection = connectionOf(live, null, false);
    expect(connection.phase).toBe("live");
    expect(isStale(connection)).toBe(false);
    expect(isHeard(connection, 1e9)).toBe(false);
  });
  it("is lost since it was lost, and says when it is tried again", () => {
    expect(connectionOf(lost, null, false)).toEqual({ phase: "lost", since: 5000, retryAt: 9000, isOffline: false });
  });
  it("is lost at once when the browser has no network, although the stream does not know yet", () => {
    expect(connectionOf(live, 4000, false)).toEqual({ phase: "lost", since: 4000, retryAt: null, isOffline: true });
    expect(connectionOf(lost, 7000, false)).toMatchObject({ since: 5000, isOffline: true });
  });
  it("is lost when it does not come about", () => {
    const connecting: ConnectionState = { phase: "connecting", since: 1000 };
    expect(isOverdue(connecting, 1000 + PATIENCE_MS - 1)).toBe(false);
    expect(isOverdue(connecting, 1000 + PATIENCE_MS)).toBe(true);
    expect(isOverdue(live, 1e9)).toBe(false);
    expect(connectionOf(connecting, null, false).phase).toBe("connecting");
    expect(connectionOf(connecting, null, true)).toMatchObject({ phase: "lost", since: 1000 });
  });
  it("is seen at once and heard only when it does not come back at once", () => {
    for (const state of [lost, stopped]) {
      const connection = connectionOf(state, null, false);
      expect(isStale(connection)).toBe(true);
      expect(isHeard(connection, 5000 + SOUNDS_AFTER_MS - 1)).toBe(false);
      expect(isHeard(connection, 5000 + SOUNDS_AFTER_MS)).toBe(true);
    }
  });
  it("that was refused says why", () => {
    expect(connectionOf(stopped, null, false)).toMatchObject({
      phase: "stopped",
      status: 401,
      reason: "not_signed_in",
    });
  });
});

describe("the title", () => {
  it("shows the foremost alarm, how many there are, and no name that a browser would keep", () => {
    const alerts = [alert({ alertId: "low", priority: "low" }), alert()];
    expect(titleOf(alerts, false, en)).toBe("(2) *** SpO₂ 79 < 80 % · bed-3");
  });
  it("shows nothing but a lost connection", () => {
    expect(titleOf([alert()], true, en)).toBe("!!! NO CONNECTION");
    expect(titleOf([], true, de)).toBe("!!! KEINE VERBINDUNG");
  });
  it("is the name where all is quiet", () => {
    expect(titleOf([], false, en)).toBe("Tocsin");
  });
});

describe("a key", () => {
  const bare = { ctrlKey: false, metaKey: false, altKey: false };
  const elsewhere = { isTyping: false, isInList: false };
  it.each([
    ["j", "next"],
    ["k", "previous"],
    ["a", "acknowledge"],
    ["A", "acknowledge"],
    ["r", "resolve"],
    ["o", "open"],
    ["p", "pause"],
    ["?", "help"],
    ["x", undefined],
    ["Enter", undefined],
    ["constructor", undefined],
  ])("%s means %s", (key, command) => {
    expect(commandOf({ ...bare, key }, elsewhere)).toBe(command);
  });
  it("is a letter to those who write", () => {
    expect(commandOf({ ...bare, key: "a" }, { ...elsewhere, isTyping: true })).toBeUndefined();
  });
  it("belongs to the browser with Ctrl, Alt or Meta", () => {
    for (const held of ["ctrlKey", "altKey", "metaKey"]) {
      expect(commandOf({ ...bare, [held]: true, key: "a" }, elsewhere)).toBeUndefined();
    }
  });
  it("with an arrow chooses among the alarms, and scrolls elsewhere", () => {
    expect(commandOf({ ...bare, key: "ArrowDown" }, { ...elsewhere, isInList: true })).toBe("next");
    expect(commandOf({ ...bare, key: "ArrowDown" }, elsewhere)).toBeUndefined();
  });
});
