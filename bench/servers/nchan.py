"""nchan: the nginx module in C, with one worker and its messages in memory."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from bench.process import ServerProcess
from bench.servers.server import HOST, Server

_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_CONFIGURATION = """\
load_module {module};
{user}
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {connections}; multi_accept on; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 64k;
  keepalive_requests 1000000;
  keepalive_timeout 3600s;
  server {{
    listen {host}:{port} backlog=4096;
    location = /events {{
      nchan_subscriber eventsource;
      nchan_channel_id alerts;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 30;
    }}
    location = /publish {{
      nchan_publisher;
      nchan_channel_id alerts;
      nchan_message_buffer_length 100;
    }}
  }}
}}
"""


class Nchan(Server):
    """One nginx worker; the master beside it only waits."""

    name = "nchan"
    title = "nchan (nginx, C)"
    install = "apt-get install nginx-core libnginx-mod-nchan"

    @classmethod
    def missing(cls) -> str | None:
        if _nginx() is None:
            return "nginx"
        return None if _MODULE.exists() else str(_MODULE)

    def launch(self) -> ServerProcess:
        files = os.sysconf("SC_OPEN_MAX")
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                module=_MODULE,
                # A master that may change its user does, and the new one could not read this folder.
                user=f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else "",
                files=files,
                connections=files - 100,
                folder=self.folder,
                host=HOST,
                port=self.port,
            )
        )
        nginx = _nginx()
        assert nginx is not None
        command = [nginx, "-p", str(self.folder), "-c", str(configuration), "-e", str(self.folder / "error.log")]
        return ServerProcess(command, log=self.folder / "nchan.log")


def _nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
