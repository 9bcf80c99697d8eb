"""The service as Chalice and Lambda load it: settings, services made of them, and the routes over both."""

from chalicelib.routes import create_app
from chalicelib.services import Services
from chalicelib.settings import Settings

app = create_app(Services(Settings.from_environment()))
reverify = app.handler_map["reverify"]
